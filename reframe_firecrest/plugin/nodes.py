"""Nodes as ReFrame's `slurm` backend knows them, made of what the gateway tells. Pure functions.

ReFrame reads nodes out of ``scontrol``'s one-line descriptions. The gateway tells ``sinfo``'s states, reduced
to a few words; here they become the combinations that ``scontrol`` would show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reframe_firecrest.model.node_sets import expand_nodes
from reframe_firecrest.model.system import NodeInfo, PartitionInfo

_IN_USE = {
    # What sinfo shows in one word is a state and a flag in scontrol's notation.
    "DRAIN": "DRAIN",
    "OFFLINE": "MAINTENANCE",
    "RESERVED": "RESERVED",
    "POWERING_DOWN": "POWERING_DOWN",
    "POWERING_UP": "POWERING_UP",
}


_BASES = frozenset({"ALLOCATED", "DOWN", "ERROR", "IDLE", "MIXED"})
"""States of which a node has one, beside any flags."""


def scontrol_states(node: NodeInfo) -> str:
    """Return a node's states as ``scontrol`` writes them, such as ``IDLE+DRAIN``."""
    base = "IDLE"
    if node.allocated:
        base = "MIXED" if node.idle else "ALLOCATED"
    # Some gateways tell them as scontrol does.
    bases = [] if _BASES.intersection(node.states) else [base]
    found: list[str] = []
    for state in node.states:
        if state in _IN_USE:
            found += [*bases, _IN_USE[state]]
        elif state == "UNKNOWN" and node.idle:
            # The gateway has no word for sinfo's "planned"; a node that is really unknown has no idle CPUs.
            found += ["IDLE", "PLANNED"]
        else:
            found.append(state)
    return "+".join(dict.fromkeys(found))


def describe(node: NodeInfo) -> str:
    """Return a node's description as ``scontrol -o show nodes`` prints it, as far as ReFrame reads it."""
    words = [f"NodeName={node.name}", f"State={scontrol_states(node)}"]
    if node.features:
        words.append(f"ActiveFeatures={','.join(node.features)}")
    if node.partitions:
        words.append(f"Partitions={','.join(node.partitions)}")
    return " ".join(words)


def select(nodes: Iterable[NodeInfo], nodespec: str) -> list[NodeInfo]:
    """Return the nodes that a node set names.

    Raises:
        ValueError: it is no node set.
    """
    wanted = set(expand_nodes(nodespec))
    return [node for node in nodes if node.name in wanted]


def default_partition(partitions: Sequence[PartitionInfo], configured: str | None) -> str | None:
    """Return the partition that a job without one goes to, None where that can't be told.

    Args:
        partitions: the system's; FirecREST does not tell which of them is the default.
        configured: what the settings say.
    """
    if configured is not None:
        return configured
    return partitions[0].name if len(partitions) == 1 else None
