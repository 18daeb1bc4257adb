"""The simulated cluster: its nodes, partitions and accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firecrest_sandbox.records import Account, Node, NodeState, Partition

if TYPE_CHECKING:
    from firecrest_sandbox.config import SandboxConfig
    from firecrest_sandbox.runners.embedded.queue import Queue

FEATURES = "sandbox"
"""The feature of all nodes."""


class Inventory:
    """Nodes, partitions and accounts of the simulated cluster.

    Args:
        config: settings of the server.
        queue: for the numbers of free CPUs.
    """

    def __init__(self, config: SandboxConfig, queue: Queue) -> None:
        self._config = config
        self._queue = queue

    def nodes(self) -> list[Node]:
        """Return the nodes."""
        return [
            Node(
                sockets=1,
                cores=1,
                threads=1,
                cpus=self._config.cpus,
                cpu_load=0.0,
                free_memory=0,
                features=FEATURES,
                name=name,
                address=self._config.host,
                hostname=name,
                state=[_node_state(free, self._config.cpus)],
                partitions=list(self._config.partitions),
                weight=1,
                alloc_memory=0,
                alloc_cpus=self._config.cpus - free,
                idle_cpus=free,
            )
            for name, free in self._queue.free.items()
        ]

    def partitions(self) -> list[Partition]:
        """Return the partitions; each contains all nodes."""
        nodes = self._config.nodes
        return [
            Partition(name=name, cpus=nodes * self._config.cpus, total_nodes=nodes, partition="UP")
            for name in self._config.partitions
        ]

    def accounts(self) -> list[Account]:
        """Return the accounts; the first is the default."""
        names = self._config.accounts
        return [Account(name=name, default=name == names[0]) for name in names]


def _node_state(free: int, cpus: int) -> NodeState:
    if free == cpus:
        return NodeState.IDLE
    return NodeState.ALLOCATED if free == 0 else NodeState.MIXED
