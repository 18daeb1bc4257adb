"""One request answers for all jobs; decides when to ask next.

Facts about the list (measured on FirecREST v2): a job that has just ended can be missing from it for about
a second, longer where the accounting is busy; a question for a single job is answered rightly from the first
instant; pending and running jobs are always in it, whatever the time window.

Where a list leaves a job unclear, or is not to be relied on, that job is asked for singly, beside the lists:
an answer that fails or takes long concerns no other job. Where no list can be had, all jobs are.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from reframe_firecrest.gateway.http.operations import LIST_JOBS
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job_shape import SINGLE, JobShape
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import JobSummary, summarise
from reframe_firecrest.session import poll_interval
from reframe_firecrest.session.followed import MISSES, Followed, shown
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.session.verdicts import Verdicts
from reframe_firecrest.settings import Settings

SINGLES = 3
"""Jobs that are asked for singly in one look: each question costs the gateway as much as a whole list."""

ALONE = 10
"""Jobs that are asked for singly in one look where no list can be had."""

INTERRUPTED = LIST_JOBS.timeout
"""Seconds from which on a list has not come at the first attempt: there was an outage meanwhile."""


class Watcher:
    """Follows jobs to their end.

    Args:
        gateway: where to ask.
        settings: `poll_min`, `poll_max`, `outage` and `lost_after`.
        reactor: runs the watch.
        running_jobs: tells how many jobs there are, on whatever part of their way; by default, those that are
            followed.
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
        self._verdicts = Verdicts(settings)
        self._running_jobs = running_jobs or (lambda: len(self._followed))
        self._followed: set[Followed] = set()
        self._directories: set[str] = set()
        self._news = asyncio.Event()
        self._watching = False
        self._by_name = True
        self._listless = False
        self._answered = time.monotonic()
        self._rest = 0.0

    async def follow(
        self,
        job_id: str,
        notify: Callable[[JobSummary], None],
        name: str | None = None,
        directory: str | None = None,
        shape: JobShape = SINGLE,
    ) -> list[JobPart]:
        """Follow a job; returns its parts when it has ended.

        Args:
            job_id: Slurm's id.
            notify: called with whatever a look shows.
            name: the job's name, if it is known: a list of few jobs by name is quicker than one of all.
            directory: its working directory, if no other job has that at the same time.
            shape: the parts that it must have; the accounting may learn of some later than of others.

        Raises:
            JobLostError: Slurm has not known it, or some of its parts, for `lost_after` seconds, has given
                its id to another job, or shows it as running for long after its time limit; or the gateway
                has failed to report this one job for `outage` seconds.
            JobHeldError: Slurm holds it for good, or has preempted it and not queued it again.
            GatewayError: the gateway refuses to tell, or could not be reached for `outage` seconds.
        """
        ended: asyncio.Future[list[JobPart]] = asyncio.get_running_loop().create_future()
        followed = Followed(job_id, name, directory, notify, shape, ended)
        self._followed.add(followed)
        if directory:
            self._directories.add(directory)
        self._news.set()
        if not self._watching:
            self._watching = True
            self._answered = time.monotonic()
            self._reactor.spawn(self._watch())
        try:
            return await followed.ended
        finally:
            self._followed.discard(followed)
            if followed.question is not None:
                followed.question.cancel()

    async def wait_until_ended(self, job_id: str) -> Sequence[JobPart]:
        """Wait for the end of a job that is not ReFrame's, such as a transfer job; return its parts."""
        return await self.follow(job_id, ignore)

    async def _watch(self) -> None:
        try:
            while self._followed:
                await self._wait()
                if not self._followed:
                    break
                begun = time.monotonic()
                try:
                    await self._look()
                except errors.GatewayError as error:
                    self._bear(error)
                now = time.monotonic()
                # An outage may be among that.
                rest = min(poll_interval.REST * (now - begun), self._settings.poll_max)
                self._rest = now + (max(rest, self._settings.poll_min) if self._listless else rest)
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits for an answer
            self._fail(error)
        finally:
            self._watching = False

    def _pauses(self) -> tuple[float, float]:
        """Return the shortest and the longest pause between looks at a job, in seconds."""
        longest = self._settings.poll_max
        return min(poll_interval.scaled(self._running_jobs(), self._settings.poll_min), longest), longest

    async def _wait(self) -> None:
        """Wait until the first job is due; a new job may be due before those that were there."""
        while self._followed:
            pauses = self._pauses()
            due = max(min(job.due(*pauses) for job in self._followed), self._rest)
            pause = due - time.monotonic()
            if pause <= 0:
                return
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), pause)
            except asyncio.TimeoutError:
                return

    # --- all jobs -----------------------------------------------------------------------------------

    async def _look(self) -> None:
        followed, now = list(self._followed), clock()
        try:
            listed = await self._list(followed)
        except errors.UnlistableError:
            # Single jobs can be asked for, and each has a clock of its own.
            self._listless, self._answered = True, time.monotonic()
            self._ask_alone(followed)
            return
        self._listless = False
        unclear = [job for job in followed if not self._is_clear(job, listed, now)]
        for job in unclear:
            job.unclear = time.monotonic() if job.unclear is None else job.unclear
        self._ask_some(unclear, SINGLES)
        doubted = [job for job in followed if job.unclear is None and job.is_to_be_confirmed()]
        self._ask_some(doubted, SINGLES)

    async def _list(self, followed: Sequence[Followed]) -> Mapping[str, Sequence[JobPart]]:
        asked = time.monotonic()
        listed = await self._gateway.jobs(
            min(job.seen for job in followed), self._names(followed), [job.job_id for job in followed]
        )
        self._answered = time.monotonic()
        for job in followed:
            job.looked = asked
        if self._answered - asked > INTERRUPTED:
            self._begin_anew(self._answered - asked)
        return _by_job(listed)

    def _is_clear(self, job: Followed, listed: Mapping[str, Sequence[JobPart]], now: float) -> bool:
        """Take what a list shows of a job; tell whether that settles how it stands for now."""
        rows = [part for job_id in (job.job_id, *job.task_ids) for part in listed.get(job_id, ())]
        parts = self._parts_of(job, rows)
        job.listed = shown(parts)
        if not parts:
            job.misses += 1
            return job.misses < MISSES
        job.misses = 0
        summary = summarise(parts, job.shape)
        if job.listed == job.refuted or (summary.silent and not job.is_whole(parts, summary)):
            return False
        job.clear(summary)
        self._verdicts.note(job, parts, summary, now)
        return True

    def _parts_of(self, job: Followed, listed: Collection[JobPart]) -> list[JobPart]:
        """Pick a job's parts from those that have its id; it is lost if another job has that now."""
        mine, others = [], set()
        for part in listed:
            if self._is_its(job, part):
                mine.append(part)
            else:
                others.add(part.working_directory)
        # As long as it was not met, a directory that is not its own may be its own by another name.
        if others and (job.met or job.directory is None or not others.isdisjoint(self._directories)):
            self._verdicts.lose(
                job, f"Slurm has forgotten job {job.job_id} and given its number to another one"
            )
        return job.parts_in(mine)

    def _is_its(self, job: Followed, part: JobPart) -> bool:
        if job.directory is None:
            # Where it works is not known; where others do is.
            return part.working_directory not in self._directories
        return job.is_its(part)

    def _names(self, followed: Iterable[Followed]) -> list[str]:
        """The names by which a list of these jobs can be asked for, none if it has to be one of all."""
        names = [job.name for job in followed]
        known = [name for name in names if name]
        return known if self._by_name and len(known) == len(names) else []

    # --- single jobs --------------------------------------------------------------------------------

    def _ask_some(self, jobs: Iterable[Followed], most: int) -> None:
        """Ask for some jobs singly, the least recently asked for first; nothing waits for the answers."""
        now, pauses = time.monotonic(), self._pauses()
        wanted = sorted((job for job in jobs if job.may_ask(now, *pauses)), key=lambda job: job.asked)
        for job in wanted[:most]:
            job.asked = now
            job.question = self._reactor.spawn(self._ask(job))

    def _ask_alone(self, followed: Iterable[Followed]) -> None:
        """Ask for the jobs that are due, where no list can be had."""
        now, pauses = time.monotonic(), self._pauses()
        due = [job for job in followed if job.due(*pauses) <= now and job.may_ask(now, *pauses)]
        room = max(ALONE - sum(job.is_asked_for for job in followed), 0)
        for job in due:
            job.listed = frozenset()
        self._ask_some(due, room)
        for job in followed:
            if job.asked == now or job.is_asked_for:
                job.looked = now

    async def _ask(self, job: Followed) -> None:
        """Ask for one job; whatever goes wrong concerns only this one."""
        now = clock()
        try:
            answer = await self._gateway.job(job.job_id)
            job.answered()
            self._take(job, answer, now)
        except errors.GatewayError as error:
            if self._listless and job.unclear is None:
                job.unclear = job.asked
            self._verdicts.bear_for(job, error)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for this job
            self._verdicts.end(job, error)

    def _take(self, job: Followed, answer: Sequence[JobPart], now: float) -> None:
        """Take an answer for one job."""
        if job.ended.done():
            return
        job.learn_tasks(answer)
        parts = self._parts_of(job, answer)
        if not parts:
            self._verdicts.miss(job)
            return
        if job.misses >= MISSES:
            # The list should have had it: a cancelled job loses its name, and not all filter alike.
            self._by_name = False
        if self._listless:
            job.unclear = None
        else:
            job.refuted = job.listed if shown(parts) != job.listed else None
        summary = summarise(parts, job.shape)
        if summary.silent and summary.missing:
            self._verdicts.wait_for_missing(job, summary)
        else:
            self._verdicts.note(job, parts, summary, now)

    def _bear(self, error: errors.GatewayError) -> None:
        """Go on in spite of an error, unless it is final or has lasted too long."""
        lasted = time.monotonic() - self._answered
        for job in self._followed:
            job.looked = time.monotonic()
        self._begin_anew()
        if isinstance(error, errors.FinalError) or lasted > self._settings.outage:
            self._fail(error)

    def _begin_anew(self, seconds: float = 0.0) -> None:
        """Call no job lost soon after an outage: Slurm's accounting lags behind for minutes then.

        Args:
            seconds: for which it has lasted.
        """
        for job in self._followed:
            job.forgive(seconds)

    def _fail(self, error: Exception) -> None:
        for job in list(self._followed):
            self._verdicts.end(job, error)


def _by_job(listed: Iterable[JobPart]) -> Mapping[str, Sequence[JobPart]]:
    """Sort the parts in a list by the jobs that they belong to."""
    found: dict[str, list[JobPart]] = defaultdict(list)
    for part in listed:
        found[part.base_id].append(part)
    return found


def ignore(_summary: JobSummary) -> None:
    """For those who only wait for the end."""
