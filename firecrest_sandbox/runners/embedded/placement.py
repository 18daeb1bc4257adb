"""Allocation of nodes for a job: pure functions of free CPUs."""

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
    """The nodes of a job, in order."""

    shares: tuple[Share, ...]

    @property
    def nodes(self) -> list[str]:
        """The nodes' names."""
        return [share.node for share in self.shares]

    @property
    def tasks(self) -> int:
        """The number of tasks on all nodes."""
        return sum(share.tasks for share in self.shares)


def required_tasks(spec: JobSpec) -> int:
    """Return the number of tasks of a job."""
    return spec.tasks or required_nodes(spec) * (spec.tasks_per_node or 1)


def required_nodes(spec: JobSpec) -> int:
    """Return the minimum number of nodes of a job."""
    if spec.nodes is None and spec.tasks and spec.tasks_per_node:
        count = -(-spec.tasks // spec.tasks_per_node)
    else:
        count = spec.nodes or 1
    return max(count, len(spec.nodelist))


def allocate(spec: JobSpec, free: Mapping[str, int], cpus: int) -> Allocation | None:
    """Return an allocation for a job, or None if it does not fit now.

    Args:
        spec: requirements of the job.
        free: free CPUs of each node, in order of preference.
        cpus: CPUs of a complete node.
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
    tasks = _spread(required_tasks(spec), {node: room[node] for node in free if node in chosen})
    return Allocation(
        tuple(
            Share(node, count, cpus if spec.exclusive else max(count, 1) * per_task)
            for node, count in tasks.items()
        )
    )


def _choose(spec: JobSpec, room: Mapping[str, int]) -> set[str] | None:
    """Return the smallest sufficient set of nodes, with at least the required number."""
    tasks, fewest = required_tasks(spec), required_nodes(spec)
    most = fewest if spec.nodes is not None else len(room)
    others = [node for node in room if node not in spec.nodelist]
    if fewest == 1 and not spec.nodelist:
        # Small jobs share the first node with enough room, and leave other nodes free.
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
    """Distribute tasks over nodes in turn, within the room of each."""
    counts = dict.fromkeys(room, 0)
    left = tasks
    while left:
        for node, limit in room.items():
            if left and counts[node] < limit:
                counts[node] += 1
                left -= 1
    return counts
