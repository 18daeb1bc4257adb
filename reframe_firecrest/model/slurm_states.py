"""Slurm's job states, and the combination of a job's parts. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from reframe_firecrest.model.job import JobState
from reframe_firecrest.model.job_shape import SINGLE, JobShape, index_of
from reframe_firecrest.model.node_sets import expand_nodes
from reframe_firecrest.model.slurm_job import JobPart

ENDED = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "TIMEOUT",
    }
)
"""Final states; the same as in ReFrame's `slurm` backend."""

PREEMPTED = "PREEMPTED"
"""State of a job that was preempted. ReFrame counts it as pending. That is right if Slurm requeues the job;
with PreemptMode=CANCEL, it is the final state. Source: slurm.conf(5)."""

PENDING = frozenset(
    {
        "CONFIGURING",
        "PENDING",
        PREEMPTED,
        "REQUEUED",
        "REQUEUE_FED",
        "REQUEUE_HOLD",
        "RESV_DEL_HOLD",
        "SPECIAL_EXIT",
        "SUSPENDED",
    }
)
"""States in which a job waits for resources."""

HELD_FOR_GOOD = frozenset({"launch failed requeued held", "launch_failed_requeued_held", "JobHoldMaxRequeue"})
"""Reasons of pending jobs that Slurm never clears by itself: after failed launches it requeues a job and
holds it until an administrator or its owner releases it."""


@dataclass(frozen=True)
class Observation:
    """State of a job as Slurm reports it, with what the watcher needs to interpret it.

    Attributes:
        state: Slurm's facts about the job.
        ended: every expected part has ended.
        settled: Slurm reports the end and all nodes of each part. The accounting learns late of a job that
            ends within seconds: for a moment it has its final state but no end, and its exit code is shown as
            0; for some seconds only the first of several nodes may be shown (measured on Slurm 22.05).
        preempted: all parts have ended or were preempted; the job continues only if Slurm requeues it.
        several: the job has parts, so a list may lag behind for some of them.
        remaining: seconds until the time limits of its running parts, negative beyond them; None if a part is
            pending or a limit is not reported.
        missing: indices of expected parts that are not listed.
        silent: every listed part has ended, even if expected ones are missing.
    """

    state: JobState
    ended: bool
    settled: bool
    preempted: bool
    several: bool
    remaining: float | None = None
    missing: frozenset[int] = frozenset()
    silent: bool = False


def parts_of(job_id: str, listed: Sequence[JobPart], task_ids: Collection[str] = ()) -> list[JobPart]:
    """Return a job's parts from a list, each once.

    While an array runs, the list may have a task twice: as ``408_1``, once the accounting knows it, and under
    its raw id. Raw ids count only for active tasks, and only if all tasks with an index have ended: then the
    queue has tasks that the accounting lacks.

    Args:
        job_id: id of the submitted job.
        listed: parts, possibly of other jobs too.
        task_ids: raw ids of the job's tasks, as far as they are known.
    """
    own = {part.job_id: part for part in listed if part.base_id == job_id or part.job_id in task_ids}
    numbered = [part for part in own.values() if part.job_id != part.base_id]
    raw = [part for part in own.values() if part.job_id == part.base_id]
    if not numbered:
        return raw
    return [*numbered, *(part for part in raw if part.state not in ENDED and _all_ended(numbered))]


def summarise(parts: Sequence[JobPart], shape: JobShape = SINGLE) -> Observation:
    """Combine the parts of a job.

    Args:
        parts: the listed parts, at least one.
        shape: the expected parts.
    """
    silent = _all_ended(parts)
    missing = _missing(parts, shape)
    ended = silent and not missing
    ends = [part.end for part in parts if part.end is not None]
    return Observation(
        _state_of(parts, ended=ended),
        ended=ended,
        settled=ended and len(ends) == len(parts) and all(_all_nodes_reported(part) for part in parts),
        preempted=not silent and all(part.state in ENDED or part.state == PREEMPTED for part in parts),
        several=shape.several or len(parts) > 1 or any(part.job_id != part.base_id for part in parts),
        remaining=_remaining(parts),
        missing=missing,
        silent=silent,
    )


def _state_of(parts: Sequence[JobPart], *, ended: bool) -> JobState:
    ends = [part.end for part in parts if part.end is not None]
    # Slurm reports a time for pending jobs too: the one at which it expects them to start.
    starts = [part.start for part in parts if part.start and part.state not in PENDING]
    return JobState(
        state=",".join(part.state for part in parts),
        exit_code=max(part.exit_code or 0 for part in parts) if ended else None,
        nodes=",".join(dict.fromkeys(part.nodes for part in parts if part.nodes)),
        started=min(starts, default=None),
        completed=max(ends) if ended and ends else None,
        reason=next((part.reason for part in parts if part.state in PENDING and part.reason), None),
        elapsed=max(part.elapsed for part in parts),
    )


def tasks_that_ran(parts: Iterable[JobPart]) -> list[int]:
    """Return the indices of the tasks of an array that must have outputs."""
    ran = [index_of(part.job_id) for part in parts if part.nodes and part.state != "CANCELLED"]
    return [index for index in ran if index is not None]


def _missing(parts: Sequence[JobPart], shape: JobShape) -> frozenset[int]:
    """Return the indices of expected parts that are not listed.

    A job that ended before it started may be listed without parts.
    """
    if all(part.job_id == part.base_id and not part.nodes and part.state in ENDED for part in parts):
        return frozenset()
    return shape.missing(part.job_id for part in parts)


def _all_ended(parts: Sequence[JobPart]) -> bool:
    return all(part.state in ENDED for part in parts)


def _remaining(parts: Sequence[JobPart]) -> float | None:
    left = []
    for part in parts:
        if part.state in PENDING or (part.state not in ENDED and part.limit is None):
            return None
        if part.state not in ENDED and part.limit is not None:
            left.append(part.limit - part.elapsed)
    return max(left, default=0.0)


def _all_nodes_reported(part: JobPart) -> bool:
    try:
        # A job that never started has no nodes, however many it asked for.
        return not part.nodes or len(expand_nodes(part.nodes)) >= part.node_count
    except ValueError:
        return True
