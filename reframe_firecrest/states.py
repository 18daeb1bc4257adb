"""What Slurm's states mean, and how the parts of a job add up to one. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reframe_firecrest.gateway.protocol import JobPart
from reframe_firecrest.nodesets import expand_nodes

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

_NEXT_COMPONENT = re.compile(r"#SBATCH\s+(?:hetjob|packjob)")


@dataclass(frozen=True)
class Summary:
    """A job as the sum of its parts.

    Attributes:
        state: the parts' states joined by commas, as ReFrame's `slurm` backend does.
        exit_code: the highest of the parts, None while one of them goes on.
        nodes: every node of every part, in Slurm's notation.
        end: seconds since the epoch at which the last part ended.
        reason: why it is pending.
        ended: no part will do anything more.
        settled: Slurm has told when each part ended, and all of its nodes. A job that is over within
            seconds is entered into the accounting late: for a moment it has its final state, but not yet its
            end, and its exit code is shown as 0; for seconds, of several nodes only the first can be shown
            (measured on Slurm 22.05).
        preempted: nothing of it goes on unless Slurm queues again what had to make way for other jobs.
        several: it has parts, so a list may lag behind some of them.
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


def parts_of(job_id: str, listed: Sequence[JobPart]) -> list[JobPart]:
    """Pick a job's parts out of a list, each once.

    While an array runs, the list has each task twice: as ``408_1`` and under the raw id that the task has for
    itself. The raw id that is the array's own is dropped where numbered tasks stand beside it, unless it goes
    on and they do not: then some that wait are known to the queue only.
    """
    mine = {part.job_id: part for part in listed if part.base_id == job_id}
    raw = mine.pop(job_id, None)
    numbered = list(mine.values())
    if raw is None or (numbered and not (_all_ended(numbered) and raw.state not in ENDED)):
        return numbered
    return [*numbered, raw]


def summarise(parts: Sequence[JobPart]) -> Summary:
    """Add the parts of a job up.

    Args:
        parts: at least one.
    """
    ended = _all_ended(parts)
    ends = [part.end for part in parts if part.end is not None]
    codes = [part.exit_code or 0 for part in parts]
    return Summary(
        state=",".join(part.state for part in parts),
        exit_code=max(codes) if ended else None,
        nodes=",".join(dict.fromkeys(part.nodes for part in parts if part.nodes)),
        end=max(ends) if ended and ends else None,
        reason=next((part.reason for part in parts if part.state in PENDING and part.reason), None),
        ended=ended,
        settled=ended and len(ends) == len(parts) and all(_all_nodes_told(part) for part in parts),
        preempted=not ended and all(part.state in ENDED or part.state == PREEMPTED for part in parts),
        several=len(parts) > 1 or any(part.job_id != part.base_id for part in parts),
        elapsed=max(part.elapsed for part in parts),
        remaining=_remaining(parts),
    )


def components_of(options: Sequence[str]) -> int:
    """Return how many components the options of a job script describe: a line begins each but the first."""
    return 1 + sum(_NEXT_COMPONENT.fullmatch(option.strip()) is not None for option in options)


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
