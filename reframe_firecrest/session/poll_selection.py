"""Which jobs a poll covers, and whether it queries them singly or lists them. No I/O."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import summarise
from reframe_firecrest.session import poll_interval
from reframe_firecrest.session.followed_job import FollowedJob
from reframe_firecrest.session.poll_interval import Intervals

FEW_JOBS = 4
"""Number of followed jobs up to which each is queried singly while it is new, and when a list lacks it."""

NEW = 3.0
"""Multiple of the shortest interval for which up to four jobs are new."""

FIRST_LIST = 4.0
"""Multiple of the shortest interval before the first list of new jobs; an earlier one seldom shows an end."""

MOST = 0.5
"""Share of the jobs in one list that must have ended for the other jobs to be listed at once."""


def due(followed: Collection[FollowedJob], intervals: Intervals) -> list[FollowedJob]:
    """Return the jobs that are due or will be soon, in this order: one request covers many.

    These are at least two, if two are followed: the gateway may query a single job by its id, which can fail
    or take long for this job alone, and must not delay others.

    Args:
        followed: all jobs that are followed.
        intervals: shortest and longest interval between checks of a job, in seconds.
    """
    now = time.monotonic()
    ordered = sorted(followed, key=lambda job: (job.due(*intervals), job.seen_at))
    soon = [job for job in ordered if job.is_due_soon(now, *intervals)]
    return soon if len(soon) > 1 else ordered[:2]


def are_few_and_new(followed: Collection[FollowedJob], shortest: float) -> bool:
    """Return true if single queries are better than a list, which shows jobs late.

    Args:
        followed: all jobs that are followed.
        shortest: shortest interval between checks of a few jobs, in seconds.
    """
    since = time.monotonic() - NEW * shortest
    return len(followed) <= FEW_JOBS and all(job.followed_since > since for job in followed)


def first_list_at(followed: Collection[FollowedJob], shortest: float) -> float:
    """Return the time before which new jobs are not listed; see `are_few_and_new` for a few."""
    if len(followed) <= FEW_JOBS or any(job.was_checked for job in followed):
        return 0.0
    return min(job.followed_since for job in followed) + FIRST_LIST * shortest


def listed_now(jobs: int, covered: int) -> int:
    """Return how many of the jobs that are due are listed now; the others follow later.

    Jobs that were submitted together often end together, and the accounting learns of many at a time. So the
    others need not be listed before most of these jobs have ended.

    Args:
        jobs: number of jobs that are due.
        covered: number of their names in one list; 0 if their names are unknown.
    """
    return covered if covered > 0 and jobs <= poll_interval.MAX_LISTS * covered else jobs


def have_most_ended(jobs: Sequence[FollowedJob], listed: Mapping[str, Sequence[JobPart]]) -> bool:
    """Return true if the jobs that were not listed have probably ended, too.

    Args:
        jobs: the jobs that were listed.
        listed: their parts in the list, by job.
    """
    ended = [job for job in jobs if (parts := listed.get(job.job_id)) and summarise(parts, job.shape).silent]
    return len(ended) >= MOST * len(jobs)
