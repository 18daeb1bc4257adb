"""Interval between checks of a job. Pure functions.

One request lists all jobs, so the job that is due first determines when all are checked.
"""

from __future__ import annotations

SHARE = 0.1
"""Interval between checks as a share of the time for which a job has been in its state. It bounds the delay
with which the end of a job is noticed, relative to the job's duration."""

GRACE = 1.0
"""Seconds after its time limit at which a job is checked: Slurm needs a moment to end it."""

REST = 0.5
"""Pause between two requests as a share of the time that the gateway needed for the last answer."""

OVERTIME = 60.0
"""Seconds beyond its time limit after which the end of a job is no longer expected soon."""

SCALING_THRESHOLD = 50
"""Number of jobs above which they are checked less often, and wait longer for others to form a batch. Of so
many jobs, some end every second, and each check that finds one costs a listing, an archive and a download."""

MAX_SCALED_INTERVAL = 3.0
"""Largest factor by which many jobs wait longer than a few."""


def scaled(jobs: int, wait: float) -> float:
    """Scale a wait with the number of jobs.

    Args:
        jobs: number of jobs that have not ended.
        wait: seconds to wait for a few jobs.
    """
    return wait * min(max(jobs / SCALING_THRESHOLD, 1.0), MAX_SCALED_INTERVAL)


def next_interval(age: float, remaining: float | None, shortest: float, longest: float) -> float:
    """Return the seconds between two checks of a job.

    Args:
        age: seconds for which it has been in its state.
        remaining: seconds until its time limit, negative beyond it; None if unknown.
        shortest: lower bound, in seconds.
        longest: upper bound, in seconds.
    """
    interval = SHARE * age
    if remaining is not None and remaining > -OVERTIME:
        interval = min(interval, remaining + GRACE)
    return min(max(interval, shortest), longest)
