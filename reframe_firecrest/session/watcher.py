"""Follows jobs to their end: a request covers all jobs that are due, and decides when to ask next.

Facts about lists (measured on FirecREST v2): a job that has just ended can be missing for about a second,
longer if the accounting is busy. Pending and running jobs are always listed, whatever the time window. A
query for a single job is answered correctly from the first moment.

So a job that a list leaves unclear, or whose listed state is not reliable, is queried singly. If lists are
not available, all jobs are.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from reframe_firecrest.gateway.http.operations import LIST_JOBS
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job import JobState
from reframe_firecrest.model.job_shape import SINGLE, JobShape
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import summarise
from reframe_firecrest.session import poll_interval, poll_selection
from reframe_firecrest.session.expected_times import ExpectedTimes
from reframe_firecrest.session.followed_job import FollowedId, FollowedJob, summary_of
from reframe_firecrest.session.part_matcher import PartMatcher
from reframe_firecrest.session.poll_interval import Intervals
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.session.single_queries import SingleQueries
from reframe_firecrest.session.verdicts import Verdicts
from reframe_firecrest.settings import Settings

_LOGGER = logging.getLogger(__name__)

INTERRUPTED = LIST_JOBS.timeout
"""Seconds after which the first attempt of a list has failed: a list that takes longer met an outage."""


class Watcher:
    """Follow jobs to their end.

    Args:
        gateway: the gateway.
        settings: `poll_interval_min`, `poll_interval_max`, `retry_timeout` and `job_lost_timeout` are used.
        reactor: the event loop.
        running_jobs: returns the number of jobs that have not ended, in any phase; by default, that of the
            followed ones.
    """

    def __init__(
        self,
        gateway: Gateway,
        settings: Settings,
        reactor: Reactor,
        running_jobs: Callable[[], int] | None = None,
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._reactor = reactor
        self._running_jobs = running_jobs or (lambda: len(self._followed))
        self._verdicts = Verdicts(settings)
        self._matcher = PartMatcher(self._verdicts)
        self._queries = SingleQueries(
            gateway, reactor, self._matcher, self._verdicts, settings.poll_interval_min
        )
        self._expected = ExpectedTimes()
        self._followed: set[FollowedJob] = set()
        self._job_added = asyncio.Event()
        self._watching = False
        self._answered_at = time.monotonic()
        self._rest_until = 0.0

    async def follow(
        self,
        job_id: str,
        notify: Callable[[JobState], None],
        name: str | None = None,
        directory: str | None = None,
        shape: JobShape = SINGLE,
    ) -> list[JobPart]:
        """Follow a job; return its parts when it has ended.

        Args:
            job_id: Slurm's id.
            notify: called with each new state.
            name: the job's name if it is known: a list by name is quicker than one of all jobs.
            directory: its working directory, if no other job has it at the same time.
            shape: the expected parts; the accounting may learn of some later than of others.

        Raises:
            JobLostError: Slurm has not known the job, or some of its parts, for `job_lost_timeout` seconds,
                has given its id to another job, or shows it as running long after its time limit; or the
                gateway has failed to report this one job for `retry_timeout` seconds.
            JobHeldError: Slurm holds it permanently, or has preempted it and not requeued it.
            GatewayError: the gateway refuses the request, or was unreachable for `retry_timeout` seconds.
        """
        ended: asyncio.Future[list[JobPart]] = asyncio.get_running_loop().create_future()
        job = FollowedJob(FollowedId(job_id, name, directory, shape), notify, ended, self._expected.get())
        self._followed.add(job)
        self._matcher.add_directory(directory)
        self._job_added.set()
        if not self._watching:
            self._watching = True
            self._answered_at = time.monotonic()
            self._reactor.spawn(self._watch())
        try:
            parts = await job.ended
            self._expected.note(parts)
            return parts
        finally:
            self._followed.discard(job)
            if job.query is not None:
                job.query.cancel()

    async def wait_until_ended(self, job_id: str) -> Sequence[JobPart]:
        """Wait for the end of a job that is not ReFrame's, such as a transfer job; return its parts."""
        return await self.follow(job_id, ignore)

    # --- the loop -----------------------------------------------------------------------------------

    async def _watch(self) -> None:
        try:
            while self._followed:
                await self._wait_until_due()
                if self._followed:
                    await self._check_and_rest()
        except Exception as error:  # noqa: BLE001 - raised in `follow`
            self._end_all(error)
        finally:
            self._watching = False

    async def _wait_until_due(self) -> None:
        """Wait until the first job is due; a job that is added meanwhile may be due sooner."""
        while self._followed:
            intervals = self._intervals()
            due = min(job.due(*intervals) for job in self._followed)
            first_list = poll_selection.first_list_at(self._followed, self._settings.poll_interval_min)
            due = max(due, first_list, self._rest_until)
            pause = due - time.monotonic()
            if pause <= 0:
                return
            self._job_added.clear()
            try:
                await asyncio.wait_for(self._job_added.wait(), pause)
            except asyncio.TimeoutError:
                return

    async def _check_and_rest(self) -> None:
        """Check the jobs that are due, and let the gateway rest in proportion to the time that it needed."""
        begun, share = time.monotonic(), 1.0
        try:
            share = await self._check()
        except errors.GatewayError as error:
            self._list_failed(error)
        now = time.monotonic()
        # That time may include an outage.
        rest = min(poll_interval.REST * (now - begun), self._settings.poll_interval_max)
        # Jobs that become due meanwhile are checked together.
        rest = max(rest, begun + share * self._intervals()[0] - now)
        if self._queries.lists_fail:
            rest = max(rest, self._settings.poll_interval_min)
        self._rest_until = now + rest

    def _intervals(self) -> Intervals:
        shortest, longest = self._settings.poll_interval_min, self._settings.poll_interval_max
        return min(poll_interval.shortest_interval(self._running_jobs(), shortest), longest), longest

    # --- lists --------------------------------------------------------------------------------------

    async def _check(self) -> float:
        """Check jobs that are due; return the share of them that was checked."""
        due = poll_selection.due(self._followed, self._intervals())
        if poll_selection.are_few_and_new(self._followed, self._settings.poll_interval_min):
            # Lists would not have them yet if they ended at once.
            self._queries.start(due, self._intervals(), poll_selection.FEW_JOBS)
            self._answered_at = time.monotonic()
            for job in due:
                job.checked_at = self._answered_at
            return 1.0
        number = poll_selection.listed_now(len(due), self._gateway.names_per_list(self._names(due)))
        some, now = due[:number], clock()
        try:
            listed = await self._list(some)
        except errors.UnlistableError:
            # Single queries may work; each job has its own timeout.
            self._queries.lists_fail, self._answered_at = True, time.monotonic()
            self._queries.start_without_lists(list(self._followed), self._intervals())
            return 1.0
        self._queries.lists_fail = False
        others = [job for job in due[number:] if job in self._followed and not listed.get(job.job_id)]
        if others and poll_selection.have_most_ended(some, listed):
            try:
                # All their results then take one archive.
                listed = {**listed, **await self._list(others)}
                some += others
            except errors.GatewayError as error:
                _LOGGER.debug("%d other jobs will be listed with the next poll: %s", len(others), error)
        self._take_all(some, listed, now)
        return len(some) / len(due)

    def _take_all(
        self, due: Sequence[FollowedJob], listed: Mapping[str, Sequence[JobPart]], now: float
    ) -> None:
        """Take the jobs of a list, and query those singly that it leaves unclear."""
        # A list of all jobs shows others too, but only those that were asked for can be missing in it.
        jobs = [*due, *(job for job in self._followed - set(due) if listed.get(job.job_id))]
        jobs = [job for job in jobs if not job.ended.done()]
        unclear = [job for job in jobs if not self._take(job, listed, now)]
        for job in unclear:
            job.unclear_since = time.monotonic() if job.unclear_since is None else job.unclear_since
        self._queries.start(unclear, self._intervals())
        unconfirmed = [job for job in jobs if job.unclear_since is None and job.needs_confirmation()]
        self._queries.start(unconfirmed, self._intervals())
        if len(self._followed) <= poll_selection.FEW_JOBS:
            # They have probably ended. Several would cost more than the next list, which may have them all.
            missing = [job for job in jobs if job.misses and job.unclear_since is None]
            self._queries.start(missing, self._intervals(), poll_selection.FEW_JOBS)

    async def _list(self, jobs: Sequence[FollowedJob]) -> Mapping[str, Sequence[JobPart]]:
        """List at least the given jobs."""
        begun = time.monotonic()
        parts = await self._gateway.jobs(
            min(job.seen_at for job in jobs), self._names(jobs), [job.job_id for job in jobs]
        )
        self._answered_at = time.monotonic()
        listed = _by_job(parts)
        for job in {*jobs, *(job for job in self._followed if listed.get(job.job_id))}:
            job.checked_at = begun
        if self._answered_at - begun > INTERRUPTED:
            self._forgive(self._answered_at - begun)
        return listed

    def _take(self, job: FollowedJob, listed: Mapping[str, Sequence[JobPart]], now: float) -> bool:
        """Take a job's parts from a list; return true if they settle its state for now."""
        rows = [part for job_id in (job.job_id, *job.task_ids) for part in listed.get(job_id, ())]
        parts = self._matcher.parts_of(job, rows)
        job.listed = summary_of(parts)
        if not parts:
            return not job.missed(self._settings.poll_interval_min)
        job.misses = 0
        observation = summarise(parts, job.shape)
        if job.listed == job.refuted:
            return False
        if observation.silent and not job.shows_all_parts(parts, observation):
            return False
        job.settle(observation)
        self._verdicts.observed(job, parts, observation, now)
        return True

    def _names(self, jobs: Iterable[FollowedJob]) -> list[str]:
        """Return names by which these jobs can be listed; none if all jobs have to be listed."""
        names = [job.identity.name for job in jobs]
        known = [name for name in names if name]
        return known if self._queries.lists_by_name and len(known) == len(names) else []

    # --- failures -----------------------------------------------------------------------------------

    def _list_failed(self, error: errors.GatewayError) -> None:
        """Continue after a failed list, unless the error is final or the outage too long."""
        outage = time.monotonic() - self._answered_at
        for job in self._followed:
            job.checked_at = time.monotonic()
        self._forgive()
        if isinstance(error, errors.FinalError) or outage > self._settings.retry_timeout:
            self._end_all(error)

    def _forgive(self, outage: float = 0.0) -> None:
        """Restart the timeouts of lost jobs: after an outage, Slurm's accounting lags behind for minutes.

        Args:
            outage: its duration in seconds.
        """
        for job in self._followed:
            job.forgive(outage)

    def _end_all(self, error: Exception) -> None:
        for job in list(self._followed):
            self._verdicts.end(job, error)


def _by_job(parts: Iterable[JobPart]) -> Mapping[str, Sequence[JobPart]]:
    """Group the parts in a list by job."""
    jobs: dict[str, list[JobPart]] = defaultdict(list)
    for part in parts:
        jobs[part.base_id].append(part)
    return jobs


def ignore(_state: JobState) -> None:
    """Ignore new states, for callers that only wait for the end."""
