"""What Slurm's states mean, and how the parts of a job add up to one. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

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
"""States after which a job does nothing more; the same as in ReFrame's `slurm` backend."""

PREEMPTED = "PREEMPTED"
"""A job had to make way for another. ReFrame takes it for one that waits, and so it is where Slurm queues it
again; elsewhere (PreemptMode=CANCEL) it is over, and this is its last state. Source: slurm.conf(5)."""

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
"""Reasons for which a job waits that Slurm gives itself and never takes back: after launches that failed, it
requeues a job and holds it until somebody who may do so releases it."""


@dataclass(frozen=True)
class JobSummary:
    """A job as the sum of its parts.

    Attributes:
        state: the parts' states joined by commas, as ReFrame's `slurm` backend does.
        exit_code: the highest of the parts, None while one of them goes on.
        nodes: every node of every part, in Slurm's notation.
        end: seconds since the epoch at which the last part ended.
        reason: why it is pending.
        ended: every part that the job must have will do nothing more.
        missing: indices of parts that the job must have, none of which is listed.
        settled: Slurm has told when each part ended, and all of its nodes. A job that is over within
            seconds is entered into the accounting late: for a moment it has its final state, but not yet its
            end, and its exit code is shown as 0; for seconds, of several nodes only the first can be shown
            (measured on Slurm 22.05).
        preempted: nothing of it goes on unless Slurm queues again what had to make way for other jobs.
        several: it has parts, so a list may lag behind some of them.
        silent: all that is listed has ended, whether or not that is all of it.
        elapsed: seconds for which the longest of its parts has run.
        remaining: seconds until the time limits have ended all that runs of it, negative where they should
            have; None where something is pending or no limit is told.
    """

    state: str
    exit_code: int | None
    nodes: str
    end: float | None
    reason: str | None
    ended: bool
    settled: bool
    preempted: bool
    several: bool
    elapsed: float = 0.0
    remaining: float | None = None
    missing: frozenset[int] = frozenset()
    silent: bool = False


def parts_of(job_id: str, listed: Sequence[JobPart], task_ids: Collection[str] = ()) -> list[JobPart]:
    """Pick a job's parts out of a list, each once.

    While an array runs, the list has each task twice: as ``408_1``, once the accounting knows it, and under
    the raw id that the task has for itself. Raw ids count only for what goes on, and only where all numbered
    tasks have ended: then there are some that only the queue knows.

    Args:
        job_id: the id that was submitted.
        listed: parts, possibly of other jobs too.
        task_ids: raw ids of tasks of the job, as far as they are known.
    """
    mine = {part.job_id: part for part in listed if part.base_id == job_id or part.job_id in task_ids}
    numbered = [part for part in mine.values() if part.job_id != part.base_id]
    raw = [part for part in mine.values() if part.job_id == part.base_id]
    if not numbered:
        return raw
    return [*numbered, *(part for part in raw if part.state not in ENDED and _all_ended(numbered))]


def summarise(parts: Sequence[JobPart], shape: JobShape = SINGLE) -> JobSummary:
    """Add the parts of a job up.

    Args:
        parts: at least one.
        shape: the parts that it must have.
    """
    silent = _all_ended(parts)
    missing = _missing(parts, shape)
    ended = silent and not missing
    ends = [part.end for part in parts if part.end is not None]
    codes = [part.exit_code or 0 for part in parts]
    return JobSummary(
        state=",".join(part.state for part in parts),
        exit_code=max(codes) if ended else None,
        nodes=",".join(dict.fromkeys(part.nodes for part in parts if part.nodes)),
        end=max(ends) if ended and ends else None,
        reason=next((part.reason for part in parts if part.state in PENDING and part.reason), None),
        ended=ended,
        settled=ended and len(ends) == len(parts) and all(_all_nodes_told(part) for part in parts),
        preempted=not silent and all(part.state in ENDED or part.state == PREEMPTED for part in parts),
        several=shape.several or len(parts) > 1 or any(part.job_id != part.base_id for part in parts),
        elapsed=max(part.elapsed for part in parts),
        remaining=_remaining(parts),
        missing=missing,
        silent=silent,
    )


def tasks_that_ran(parts: Iterable[JobPart]) -> list[int]:
    """Return the indices of those tasks of an array that must have outputs."""
    ran = [index_of(part.job_id) for part in parts if part.nodes and part.state != "CANCELLED"]
    return [index for index in ran if index is not None]


def _missing(parts: Sequence[JobPart], shape: JobShape) -> frozenset[int]:
    """Return the indices of the parts that a job must have and that are not listed.

    A job that ended before it started can be listed as a whole, without any part.
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


def _all_nodes_told(part: JobPart) -> bool:
    try:
        # A job that never started has no nodes, however many it asked for.
        return not part.nodes or len(expand_nodes(part.nodes)) >= part.node_count
    except ValueError:
        return True
