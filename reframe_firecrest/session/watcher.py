"""One request answers for all jobs; decides when to ask next.

Facts about the list (measured on FirecREST v2): a job that has just ended can be missing from it for about
a second, longer where the accounting is busy; a question for a single job is answered rightly from the first
instant; pending and running jobs are always in it, whatever the time window.

Where a list leaves a job unclear, or is not to be relied on, that job is asked for singly, beside the lists:
an answer that fails or takes long concerns no other job. Where no list can be had, all jobs are.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from reframe_firecrest import errors
from reframe_firecrest.gateway.policy import LIST_JOBS
from reframe_firecrest.gateway.protocol import Gateway, JobPart
from reframe_firecrest.session import pace
from reframe_firecrest.session.followed import MISSES, Followed, shown
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.settings import Settings
from reframe_firecrest.shape import SINGLE, JobShape, in_words
from reframe_firecrest.states import HELD_FOR_GOOD, Summary, summarise

SINGLES = 3
"""Jobs that are asked for singly in one look: each question costs the gateway as much as a whole list."""

ALONE = 10
"""Jobs that are asked for singly in one look where no list can be had."""

WARN_AFTER = 15.0
"""Seconds for which questions for a job must have failed until users are warned."""

UNSETTLED = 10
"""Looks for which a job that has ended is followed on because Slurm has not told yet when it did."""

INTERRUPTED = LIST_JOBS.timeout
"""Seconds from which on a list has not come at the first attempt: there was an outage meanwhile."""

PREEMPTED = 120.0
"""Seconds that Slurm has to queue a job again that had to make way for another: first it gives its processes
time to end (GraceTime, KillWait)."""

_LOGGER = logging.getLogger(__name__)

OVERDUE = 600.0
"""Seconds beyond its time limit after which a running job counts as forgotten: sites may grant some minutes
(Slurm's OverTimeLimit), and nodes take some to clean up."""


class Watcher:
    """Follows jobs to their end.

    Args:
        gateway: where to ask.
        settings: `poll_min`, `poll_max`, `outage` and `lost_after`.
        reactor: runs the watch.
        crowd: tells how many jobs there are, on whatever part of their way; by default, those that are
            followed.
    """

    def __init__(
        self, gateway: Gateway, settings: Settings, reactor: Reactor, crowd: Callable[[], int] | None = None
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._reactor = reactor
        self._crowd = crowd or (lambda: len(self._followed))
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
        tell: Callable[[Summary], None],
        name: str | None = None,
        directory: str | None = None,
        shape: JobShape = SINGLE,
    ) -> list[JobPart]:
        """Follow a job; returns its parts when it has ended.

        Args:
            job_id: Slurm's id.
            tell: called with whatever a look shows.
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
        followed = Followed(job_id, name, directory, tell, shape, ended)
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
                rest = min(pace.REST * (now - begun), self._settings.poll_max)
                self._rest = now + (max(rest, self._settings.poll_min) if self._listless else rest)
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits for an answer
            self._fail(error)
        finally:
            self._watching = False

    def _pauses(self) -> tuple[float, float]:
        """Return the shortest and the longest pause between looks at a job, in seconds."""
        longest = self._settings.poll_max
        return min(pace.in_crowd(self._crowd(), self._settings.poll_min), longest), longest

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
        followed, now = list(self._followed), time.time()
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
            self._begin_anew()
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
        if job.listed == job.refuted or (summary.silent and summary.several):
            return False
        job.clear(summary)
        self._note(job, parts, summary, now)
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
            self._lose(job, f"Slurm has forgotten job {job.job_id} and given its number to another one")
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
        room = ALONE - sum(job.is_asked_for for job in followed)
        for job in due:
            job.listed = frozenset()
        self._ask_some(due, room)
        for job in followed:
            if job.asked == now or job.is_asked_for:
                job.looked = now

    async def _ask(self, job: Followed) -> None:
        """Ask for one job; whatever goes wrong concerns only this one."""
        now = time.time()
        try:
            answer = await self._gateway.job(job.job_id)
            job.answered()
            self._take(job, answer, now)
        except errors.GatewayError as error:
            self._bear_for(job, error)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for this job
            self._end(job, error)

    def _take(self, job: Followed, answer: Sequence[JobPart], now: float) -> None:
        """Take an answer for one job."""
        job.learn_tasks(answer)
        parts = self._parts_of(job, answer)
        if not parts:
            self._miss(job)
            return
        if job.misses >= MISSES:
            # The list should have had it: a cancelled job loses its name, and not all filter alike.
            self._by_name = False
        if self._listless:
            job.unclear = None
        elif shown(parts) != job.listed:
            job.refuted = job.listed
        summary = summarise(parts, job.shape)
        if summary.silent and summary.missing:
            self._wait_for_missing(job, summary)
        else:
            self._note(job, parts, summary, now)

    def _miss(self, job: Followed) -> None:
        """Note that Slurm does not know a job; at some time it is lost."""
        job.unknown = job.unknown or job.asked
        since = time.monotonic() - job.unknown
        if since > self._settings.lost_after:
            self._lose(job, f"Slurm has not known job {job.job_id} for {since:.0f} s")

    def _wait_for_missing(self, job: Followed, summary: Summary) -> None:
        """Note that all that Slurm reports of a job has ended, but is not all that there must be."""
        since = job.lacks(summary.missing)
        if since > self._settings.lost_after:
            kind = "task" if job.shape.is_array else "component"
            which = f"{kind}{'s' if len(summary.missing) > 1 else ''} {in_words(summary.missing)}"
            self._lose(job, f"Slurm has reported nothing about {which} of job {job.job_id} for {since:.0f} s")

    def _bear_for(self, job: Followed, error: errors.GatewayError) -> None:
        """Go on in spite of an error for one job, unless it has lasted too long; lists may still show it."""
        lasted = job.fails()
        if self._listless and job.unclear is None:
            job.unclear = job.asked
        told = f"the gateway has not reported job {job.job_id} for {lasted:.0f} s, although it answers"
        if isinstance(error, errors.AuthError | errors.ForbiddenError):
            self._end(job, error)
        elif lasted > self._settings.outage and job.depends_on_answers:
            self._lose(job, f"{told}: {error}")
        elif lasted > WARN_AFTER and not job.warned:
            job.warned = True
            _LOGGER.warning("%s; retrying for up to %.0f s: %s", told, self._settings.outage, error)

    # --- what is learnt -----------------------------------------------------------------------------

    def _note(self, job: Followed, parts: list[JobPart], summary: Summary, now: float) -> None:
        job.seen = now
        job.unknown = job.lacking = None
        if summary.ended and not summary.settled and job.unsettled < UNSETTLED:
            # Its exit code can't be believed yet.
            job.unsettled += 1
            return
        if summary.state != job.state:
            job.state = summary.state
            job.since = time.monotonic()
        job.limit = summary.remaining
        job.tell(summary)
        if summary.ended:
            self._end(job, parts)
        elif summary.reason in HELD_FOR_GOOD:
            held = f"Slurm holds job {job.job_id} and will not start it again by itself: {summary.reason}"
            self._end(job, errors.JobHeldError(held))
        elif summary.preempted and time.monotonic() - job.since > PREEMPTED:
            preempted = f"Slurm has preempted job {job.job_id} and not queued it again for {PREEMPTED:.0f} s"
            self._end(job, errors.JobHeldError(preempted))
        elif summary.remaining is not None and -summary.remaining > max(OVERDUE, self._settings.lost_after):
            overdue = f"running {-summary.remaining:.0f} s after its time limit"
            self._lose(job, f"Slurm shows job {job.job_id} as {overdue}")

    def _lose(self, job: Followed, what: str) -> None:
        where = f"see sacct -j {job.job_id} on the system"
        self._end(job, errors.JobLostError(f"{what}: it is lost; whether it ran can't be told ({where})"))

    def _end(self, job: Followed, outcome: list[JobPart] | Exception) -> None:
        if job.ended.done():
            return
        if isinstance(outcome, Exception):
            job.ended.set_exception(outcome)
        else:
            job.ended.set_result(outcome)

    def _bear(self, error: errors.GatewayError) -> None:
        """Go on in spite of an error, unless it is final or has lasted too long."""
        lasted = time.monotonic() - self._answered
        for job in self._followed:
            job.looked = time.monotonic()
        self._begin_anew()
        if isinstance(error, errors.FinalError) or lasted > self._settings.outage:
            self._fail(error)

    def _begin_anew(self) -> None:
        """Call no job lost soon after an outage: Slurm's accounting lags behind for minutes then."""
        for job in self._followed:
            job.forgive()

    def _fail(self, error: Exception) -> None:
        for job in list(self._followed):
            self._end(job, error)


def _by_job(listed: Iterable[JobPart]) -> Mapping[str, Sequence[JobPart]]:
    """Sort the parts in a list by the jobs that they belong to."""
    found: dict[str, list[JobPart]] = defaultdict(list)
    for part in listed:
        found[part.base_id].append(part)
    return found


def ignore(_summary: Summary) -> None:
    """For those who only wait for the end."""


async def wait_for(watcher: Watcher, job_id: str) -> Sequence[JobPart]:
    """Wait for the end of a job that is not ReFrame's, such as a transfer job."""
    return await watcher.follow(job_id, ignore)
