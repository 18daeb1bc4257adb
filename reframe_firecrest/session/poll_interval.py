"""When to look at a job again, from what is known of it. Pure functions.

One request answers for all jobs, so the job that is due first decides for all.
"""

from __future__ import annotations

SHARE = 0.1
"""A job is looked at again after this part of the time that it has been in its state: noticing its end late
adds at most so much to how long it took."""

GRACE = 1.0
"""Seconds after its time limit at which a job is looked at: Slurm needs a moment to end it."""

REST = 0.5
"""Between two looks the gateway rests for this part of the time that the last answer took it."""

OVERTIME = 60.0
"""Seconds beyond its time limit after which a job's end is not expected at any moment any more."""

SCALING_THRESHOLD = 50
"""Jobs from which on they are looked at less often, and wait longer for others to travel with: of so many,
some end in every second, and each look that finds one costs a listing, an archive and a download more."""

MAX_SCALED_INTERVAL = 3.0
"""Times that even the largest crowd waits as long as a few jobs."""


def scaled(jobs: int, wait: float) -> float:
    """Return how long to wait while there are so many jobs, for what takes `wait` seconds for a few."""
    return wait * min(max(jobs / SCALING_THRESHOLD, 1.0), MAX_SCALED_INTERVAL)


def next_interval(age: float, remaining: float | None, shortest: float, longest: float) -> float:
    """Return the seconds from one look at a job to the next.

    Args:
        age: seconds for which it has been in its state.
        remaining: seconds until its time limit ends it, negative if it has not; None where that is not known.
        shortest: seconds, never fewer.
        longest: seconds, never more.
    """
    wanted = SHARE * age
    if remaining is not None and remaining > -OVERTIME:
        wanted = min(wanted, remaining + GRACE)
    return min(max(wanted, shortest), longest)
