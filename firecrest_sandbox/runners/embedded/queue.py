"""Queue of waiting jobs: first come, first served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob, Reason
from firecrest_sandbox.runners.embedded.placement import Allocation, allocate, required_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Queue:
    """The waiting jobs and the nodes' free CPUs.

    The order is strict: no job overtakes one that waits for resources. Jobs that can never start do not block
    others.
    """

    def __init__(self, nodes: Sequence[str], cpus: int) -> None:
        self.free = dict.fromkeys(nodes, cpus)
        self._cpus = cpus
        self._waiting: list[EmbeddedJob] = []
        self._running: list[EmbeddedJob] = []

    @property
    def nodes(self) -> list[str]:
        """The nodes' names."""
        return list(self.free)

    def add(self, job: EmbeddedJob) -> None:
        """Append a job."""
        self._waiting.append(job)

    def remove(self, job: EmbeddedJob) -> None:
        """Remove a waiting job."""
        self._waiting.remove(job)

    def waits(self, array_id: int) -> bool:
        """Return whether tasks of an array are waiting."""
        return any(job.array_id == array_id for job in self._waiting)

    def release(self, job: EmbeddedJob) -> None:
        """Release the CPUs of a job."""
        self._running.remove(job)
        for share in job.allocation.shares if job.allocation else ():
            self.free[share.node] += share.cpus

    def startable(self) -> Iterator[tuple[EmbeddedJob, Allocation]]:
        """Yield the jobs that can start now, with their nodes; set the reason of the others."""
        blocked = False
        for job in list(self._waiting):
            if (reason := self._hopeless(job)) is not None:
                job.reason = reason
            elif self._array_is_full(job):
                job.reason = Reason.ARRAY_LIMIT
            elif blocked:
                job.reason = Reason.PRIORITY
            elif (allocation := allocate(job.spec, self.free, self._cpus)) is None:
                job.reason = Reason.RESOURCES
                blocked = True
            else:
                job.reason = Reason.NONE
                self._waiting.remove(job)
                self._running.append(job)
                for share in allocation.shares:
                    self.free[share.node] -= share.cpus
                yield job, allocation

    def _hopeless(self, job: EmbeddedJob) -> Reason | None:
        if required_nodes(job.spec) > len(self.free):
            return Reason.TOO_MANY_NODES
        all_free = dict.fromkeys(self.free, self._cpus)
        return Reason.TOO_LARGE if allocate(job.spec, all_free, self._cpus) is None else None

    def _array_is_full(self, job: EmbeddedJob) -> bool:
        if job.spec.array is None or job.spec.array.max_running is None:
            return False
        alongside = [other for other in self._running if other.array_id == job.array_id]
        return len(alongside) >= job.spec.array.max_running
