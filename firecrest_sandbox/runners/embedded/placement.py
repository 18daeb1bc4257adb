"""Which nodes a job gets: pure arithmetic over nodes and their free CPUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firecrest_sandbox.runners.embedded.directives import JobSpec


@dataclass(frozen=True)
class Share:
    """A job's part of one node."""

    node: str
    tasks: int
    cpus: int


@dataclass(frozen=True)
class Allocation:
    """A job's nodes, in their order."""

    shares: tuple[Share, ...]

    @property
    def nodes(self) -> list[str]:
        """The nodes' names."""
        return [share.node for share in self.shares]

    @property
    def tasks(self) -> int:
        """The number of tasks on all nodes."""
        return sum(share.tasks for share in self.shares)


def wanted_tasks(spec: JobSpec) -> int:
    """Return how many tasks a job has."""
    return spec.tasks or wanted_nodes(spec) * (spec.tasks_per_node or 1)


def wanted_nodes(spec: JobSpec) -> int:
    """Return the least number of nodes that a job asks for."""
    if spec.nodes is None and spec.tasks and spec.tasks_per_node:
        named = -(-spec.tasks // spec.tasks_per_node)
    else:
        named = spec.nodes or 1
    return max(named, len(spec.nodelist))


def place(spec: JobSpec, free: Mapping[str, int], cpus: int) -> Allocation | None:
    """Return the nodes for a job, or None if it doesn't fit now.

    Args:
        spec: what it asks for.
        free: each node's free CPUs; nodes are taken in this order.
        cpus: the CPUs of a whole node.
    """
    per_task = spec.cpus_per_task or 1
    room = {
        node: min(amount // per_task, spec.tasks_per_node or amount)
        for node, amount in free.items()
        if node not in spec.exclude and (amount == cpus or not spec.exclusive)
    }
    room = {node: tasks for node, tasks in room.items() if tasks > 0}
    if not set(spec.nodelist) <= set(room):
        return None
    chosen = _choose(spec, room)
    if chosen is None:
        return None
    tasks = _spread(wanted_tasks(spec), {node: room[node] for node in free if node in chosen})
    return Allocation(
        tuple(
            Share(node, count, cpus if spec.exclusive else max(count, 1) * per_task)
            for node, count in tasks.items()
        )
    )


def _choose(spec: JobSpec, room: Mapping[str, int]) -> set[str] | None:
    """Return the fewest nodes that hold all tasks, but as many as were asked for."""
    tasks, fewest = wanted_tasks(spec), wanted_nodes(spec)
    most = fewest if spec.nodes is not None else len(room)
    others = [node for node in room if node not in spec.nodelist]
    if fewest == 1 and not spec.nodelist:
        # Small jobs share the first node that has room, and leave the others whole.
        single = next((node for node in others if room[node] >= tasks), None)
        if single is not None:
            return {single}
    emptiest_first = sorted(others, key=lambda node: -room[node])
    for count in range(fewest, min(most, len(room)) + 1):
        for ranked in ([*spec.nodelist, *others], [*spec.nodelist, *emptiest_first]):
            if sum(room[node] for node in ranked[:count]) >= tasks:
                return set(ranked[:count])
    return None


def _spread(tasks: int, room: Mapping[str, int]) -> dict[str, int]:
    """Deal tasks out to nodes in turn, as far as each has room."""
    dealt = dict.fromkeys(room, 0)
    left = tasks
    while left:
        for node, limit in room.items():
            if left and dealt[node] < limit:
                dealt[node] += 1
                left -= 1
    return dealt
