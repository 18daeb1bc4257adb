"""Descriptions of nodes that ReFrame's `slurm` backend can parse. Pure functions.

ReFrame parses the one-line descriptions of ``scontrol``. The gateway reports the states of ``sinfo``, reduced
to a few words. They are converted to the combinations that ``scontrol`` shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reframe_firecrest.model.node_sets import expand_nodes
from reframe_firecrest.model.system import NodeInfo, PartitionInfo

_IN_USE = {
    # sinfo shows one word for what is a state and a flag in scontrol's notation.
    "DRAIN": "DRAIN",
    "OFFLINE": "MAINTENANCE",
    "RESERVED": "RESERVED",
    "POWERING_DOWN": "POWERING_DOWN",
    "POWERING_UP": "POWERING_UP",
}


_BASES = frozenset({"ALLOCATED", "DOWN", "ERROR", "IDLE", "MIXED"})
"""Base states. A node has one of them, and any number of flags."""


def scontrol_states(node: NodeInfo) -> str:
    """Return a node's states as ``scontrol`` writes them, such as ``IDLE+DRAIN``."""
    base = "IDLE"
    if node.allocated:
        base = "MIXED" if node.idle else "ALLOCATED"
    # Some gateways report base states, like scontrol.
    bases = [] if _BASES.intersection(node.states) else [base]
    states: list[str] = []
    for state in node.states:
        if state in _IN_USE:
            states += [*bases, _IN_USE[state]]
        elif state == "UNKNOWN" and node.idle:
            # The gateway has no word for sinfo's "planned"; a node whose state is unknown has no idle CPUs.
            states += ["IDLE", "PLANNED"]
        else:
            states.append(state)
    return "+".join(dict.fromkeys(states))


def describe(node: NodeInfo) -> str:
    """Return the fields of ``scontrol -o show nodes`` that ReFrame parses."""
    words = [f"NodeName={node.name}", f"State={scontrol_states(node)}"]
    if node.features:
        words.append(f"ActiveFeatures={','.join(node.features)}")
    if node.partitions:
        words.append(f"Partitions={','.join(node.partitions)}")
    return " ".join(words)


def select(nodes: Iterable[NodeInfo], nodespec: str) -> list[NodeInfo]:
    """Return the nodes in a node set.

    Raises:
        ValueError: the text is not a node set.
    """
    names = set(expand_nodes(nodespec))
    return [node for node in nodes if node.name in names]


def default_partition(partitions: Sequence[PartitionInfo], configured: str | None) -> str | None:
    """Return the partition of jobs that name none; None if it is unknown.

    Args:
        partitions: the system's partitions; FirecREST does not report which one is the default.
        configured: the default partition in the settings.
    """
    if configured is not None:
        return configured
    return partitions[0].name if len(partitions) == 1 else None
