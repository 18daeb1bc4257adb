"""Queries for single jobs, beside the lists: a query that fails or takes long delays no other job."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import summarise
from reframe_firecrest.session.followed_job import MISNAMED_INTERVALS, FollowedJob, summary_of
from reframe_firecrest.session.part_matcher import PartMatcher
from reframe_firecrest.session.poll_interval import Intervals
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.session.verdicts import Verdicts

BATCH = 3
"""Single queries that are started after a list: each costs the gateway as much as a list."""

BATCH_WITHOUT_LISTS = 10
"""Single queries in progress at a time where lists are not available."""


class SingleQueries:
    """Query jobs one by one.

    Args:
        gateway: the gateway.
        reactor: the event loop.
        matcher: picks the job's parts from an answer.
        verdicts: decides how the job has ended.
        shortest: shortest interval between checks of a few jobs, in seconds.

    Attributes:
        lists_fail: lists are not available, so all jobs are queried singly.
        lists_by_name: lists by name have all jobs. A cancelled job may lose its name, and not every gateway
            filters by name.
    """

    def __init__(
        self, gateway: Gateway, reactor: Reactor, matcher: PartMatcher, verdicts: Verdicts, shortest: float
    ) -> None:
        self._gateway = gateway
        self._reactor = reactor
        self._matcher = matcher
        self._verdicts = verdicts
        self._shortest = shortest
        self.lists_fail = False
        self.lists_by_name = True

    def start(self, jobs: Iterable[FollowedJob], intervals: Intervals, limit: int = BATCH) -> None:
        """Start queries for the jobs that are due, the least recently queried first."""
        now = time.monotonic()
        due = sorted((job for job in jobs if job.may_query(now, *intervals)), key=lambda job: job.queried_at)
        for job in due[:limit]:
            job.queried_at = now
            job.query = self._reactor.spawn(self._query(job))

    def start_without_lists(self, jobs: Sequence[FollowedJob], intervals: Intervals) -> None:
        """Start queries for all jobs that are due, where lists are not available."""
        now = time.monotonic()
        due = [job for job in jobs if job.due(*intervals) <= now and job.may_query(now, *intervals)]
        for job in due:
            job.listed = frozenset()
        free = BATCH_WITHOUT_LISTS - sum(job.is_queried for job in jobs)
        self.start(due, intervals, max(free, 0))
        for job in jobs:
            if job.is_queried:
                job.checked_at = now

    async def _query(self, job: FollowedJob) -> None:
        """Query one job; errors concern only this one."""
        now = clock()
        try:
            parts = await self._gateway.job(job.job_id)
            job.query_answered()
            self._take(job, parts, now)
        except errors.GatewayError as error:
            if self.lists_fail and job.unclear_since is None:
                job.unclear_since = job.queried_at
            self._verdicts.query_failed(job, error)
        except Exception as error:  # noqa: BLE001 - raised in `Watcher.follow`
            self._verdicts.end(job, error)

    def _take(self, job: FollowedJob, answer: Sequence[JobPart], now: float) -> None:
        if job.ended.done():
            return
        job.learn_tasks(answer)
        parts = self._matcher.parts_of(job, answer)
        if not parts:
            self._verdicts.unknown(job)
            return
        if job.is_missing_for(MISNAMED_INTERVALS * self._shortest):
            # The lists lacked it although it exists.
            self.lists_by_name = False
        if self.lists_fail:
            job.unclear_since = None
        else:
            job.refuted = job.listed if summary_of(parts) != job.listed else None
        observation = summarise(parts, job.shape)
        if observation.silent and observation.missing:
            self._verdicts.parts_missing(job, observation)
        else:
            self._verdicts.observed(job, parts, observation, now)
