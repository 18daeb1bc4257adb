"""Interval between checks of a job. Pure functions.

A request covers the jobs that are due, and those that will be soon.
"""

from __future__ import annotations

import math

Intervals = tuple[float, float]
"""Shortest and longest interval between checks of a job, in seconds."""

FIRST_SHARE = 0.5
"""The same share for a job that has just changed its state, which is checked often at first."""

FIRST_INTERVALS = 2.0
"""Multiple of the shortest interval up to which that share counts."""

LONGEST_EXPECTATION = 5.0
"""Multiple of the shortest interval for which a job is not checked because others took longer to end."""

SHARE = 0.1
"""Interval between checks as a share of the time for which a job has been in its state. It bounds the delay
with which the end of a job is noticed, relative to the job's duration."""

GRACE = 1.0
"""Seconds after its time limit at which a job is checked: Slurm needs a moment to end it."""

REST = 0.5
"""Pause between two requests as a share of the time that the gateway needed for the last answer."""

SOON = 0.5
"""Share of its interval by which a job is checked early if others are checked anyway, so that jobs with about
the same age are checked together."""

OVERTIME = 60.0
"""Seconds beyond its time limit after which the end of a job is no longer expected soon."""

SCALING_THRESHOLD = 50
"""Number of jobs above which they are checked less often, and wait longer for others to form a batch. Of so
many jobs, some end every second, and each check that finds one costs a listing, an archive and a download."""

MAX_SCALED_INTERVAL = 3.0
"""Largest factor by which many jobs wait longer than a few."""

LISTED_TOGETHER = 12
"""Jobs in one list by name: FirecREST's filter has 235 characters, names of ReFrame's jobs about 19."""

MAX_LISTS = 3
"""Largest factor by which several lists per check lengthen the interval."""

CROWDING = 2.0
"""Factor by which the interval between checks grows more than other waits."""


def scaled(jobs: int, wait: float) -> float:
    """Scale a wait with the number of jobs.

    Args:
        jobs: number of jobs that have not ended.
        wait: seconds to wait for a few jobs.
    """
    return wait * min(max(jobs / SCALING_THRESHOLD, 1.0), MAX_SCALED_INTERVAL)


def shortest_interval(jobs: int, shortest: float) -> float:
    """Scale the shortest interval between checks with the number of jobs, and with that of lists per check.

    Args:
        jobs: number of jobs that have not ended.
        shortest: seconds between checks of a few jobs.
    """
    lists = min(max(math.ceil(jobs / LISTED_TOGETHER), 1), MAX_LISTS)
    return shortest * max(lists, min(CROWDING * jobs / SCALING_THRESHOLD, CROWDING * MAX_SCALED_INTERVAL))


def first_interval(expected: float | None, shortest: float, longest: float) -> float:
    """Return the seconds until the first check of a job.

    Args:
        expected: seconds until it is expected to have ended; None if unknown.
        shortest: lower bound, in seconds.
        longest: upper bound, in seconds.
    """
    return min(max(expected or 0.0, shortest), LONGEST_EXPECTATION * shortest, longest)


def next_interval(age: float, remaining: float | None, shortest: float, longest: float) -> float:
    """Return the seconds between two checks of a job.

    Args:
        age: seconds for which it has been in its state.
        remaining: seconds until its time limit, negative beyond it; None if unknown.
        shortest: lower bound, in seconds.
        longest: upper bound, in seconds.
    """
    interval = max(SHARE * age, min(FIRST_SHARE * age, FIRST_INTERVALS * shortest))
    if remaining is not None and remaining > -OVERTIME:
        interval = min(interval, remaining + GRACE)
    return min(max(interval, shortest), longest)
