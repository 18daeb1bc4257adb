"""One request answers for all jobs; decides when to ask next.

Facts about the list (measured on FirecREST v2): a job that has just ended can be missing from it for about
a second, longer where the accounting is busy; a question for a single job is answered rightly from the first
instant; pending and running jobs are always in it, whatever the time window.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reframe_firecrest import errors
from reframe_firecrest.clock import clock
from reframe_firecrest.gateway.policy import LIST_JOBS
from reframe_firecrest.gateway.protocol import Gateway, JobPart
from reframe_firecrest.session import pace
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.settings import Settings
from reframe_firecrest.states import HELD_FOR_GOOD, Summary, parts_of, summarise

MISSES = 2
"""Lists in a row that a job must be missing from before it is asked for singly."""

SINGLES = 3
"""Jobs that are asked for singly in one look: each question costs the gateway as much as a whole list."""

UNSETTLED = 10
"""Looks for which a job that has ended is followed on because Slurm has not told yet when it did."""

INTERRUPTED = LIST_JOBS.timeout
"""Seconds from which on a list has not come at the first attempt: there was an outage meanwhile."""

PREEMPTED = 120.0
"""Seconds that Slurm has to queue a job again that had to make way for another: first it gives its processes
time to end (GraceTime, KillWait)."""

OVERDUE = 600.0
"""Seconds beyond its time limit after which a running job counts as forgotten: sites may grant some minutes
(Slurm's OverTimeLimit), and nodes take some to clean up."""


@dataclass(eq=False)
class _Followed:
    job_id: str
    name: str | None
    directory: str | None
    tell: Callable[[Summary], None]
    components: int
    ended: asyncio.Future[list[JobPart]]
    seen: float = field(default_factory=clock)
    since: float = field(default_factory=time.monotonic)
    looked: float = field(default_factory=time.monotonic)
    asked: float = 0.0
    unknown: float | None = None
    misses: int = 0
    unsettled: int = 0
    state: str = ""
    limit: float | None = None
    met: bool = False

    def due(self, shortest: float, longest: float) -> float:
        """When it is to be looked at again, by the monotonic clock."""
        if self.misses or self.unsettled:
            return self.looked + shortest
        return self.looked + pace.step(self.looked - self.since, self.limit, shortest, longest)

    def is_its(self, part: JobPart) -> bool:
        """Tell whether a part with its id is of this job: one that works elsewhere is another job's."""
        if part.working_directory in ("", self.directory):
            # For a moment, a job that is new or has just been cancelled has neither directory nor name.
            self.met = self.met or part.working_directory != ""
            return True
        # Should the system call directories by other names than we do, that shows at the first look.
        return not self.met and part.name == self.name


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
        self._followed: set[_Followed] = set()
        self._directories: set[str] = set()
        self._news = asyncio.Event()
        self._watching = False
        self._by_name = True
        self._answered = time.monotonic()
        self._rest = 0.0

    async def follow(
        self,
        job_id: str,
        tell: Callable[[Summary], None],
        name: str | None = None,
        directory: str | None = None,
        components: int = 1,
    ) -> list[JobPart]:
        """Follow a job; returns its parts when it has ended.

        Args:
            job_id: Slurm's id.
            tell: called with whatever a look shows.
            name: the job's name, if it is known: a list of few jobs by name is quicker than one of all.
            directory: its working directory, if no other job has that at the same time.
            components: how many parts it has at least; the accounting may learn of some later than of others.

        Raises:
            JobLostError: Slurm has not known it for `lost_after` seconds, has given its id to another job, or
                shows it as running for long after its time limit.
            JobHeldError: Slurm holds it for good, or has preempted it and not queued it again.
            GatewayError: the gateway refuses to tell, or could not be reached for `outage` seconds.
        """
        ended: asyncio.Future[list[JobPart]] = asyncio.get_running_loop().create_future()
        followed = _Followed(job_id, name, directory, tell, components, ended)
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
                self._rest = now + min(pace.REST * (now - begun), self._settings.poll_max)
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits for an answer
            self._fail(error)
        finally:
            self._watching = False

    async def _wait(self) -> None:
        """Wait until the first job is due; a new job may be due before those that were there."""
        longest = self._settings.poll_max
        while self._followed:
            shortest = min(pace.in_crowd(self._crowd(), self._settings.poll_min), longest)
            due = max(min(job.due(shortest, longest) for job in self._followed), self._rest)
            pause = due - time.monotonic()
            if pause <= 0:
                return
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), pause)
            except asyncio.TimeoutError:
                return

    async def _look(self) -> None:
        followed = list(self._followed)
        for job in followed:
            job.looked = time.monotonic()
        now = clock()
        asked = time.monotonic()
        listed = _by_job(
            await self._gateway.jobs(
                min(job.seen for job in followed), self._names(followed), [job.job_id for job in followed]
            )
        )
        self._answered = time.monotonic()
        if self._answered - asked > INTERRUPTED:
            self._begin_anew()
        unclear = []
        for job in followed:
            parts = self._parts_of(job, listed.get(job.job_id, ()))
            if not parts:
                job.misses += 1
                if job.misses >= MISSES:
                    unclear.append(job)
                continue
            job.misses = 0
            summary = summarise(parts)
            if summary.ended and summary.several:
                unclear.append(job)
            else:
                self._note(job, parts, summary, now)
        unclear.sort(key=lambda job: job.asked)
        await asyncio.gather(*(self._ask(job) for job in unclear[:SINGLES]))

    def _parts_of(self, job: _Followed, listed: Collection[JobPart]) -> list[JobPart]:
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
        return parts_of(job.job_id, mine)

    def _is_its(self, job: _Followed, part: JobPart) -> bool:
        if job.directory is None:
            # Where it works is not known; where others do is.
            return part.working_directory not in self._directories
        return job.is_its(part)

    def _names(self, followed: Iterable[_Followed]) -> list[str]:
        """The names by which a list of these jobs can be asked for, none if it has to be one of all."""
        names = [job.name for job in followed]
        known = [name for name in names if name]
        return known if self._by_name and len(known) == len(names) else []

    async def _ask(self, job: _Followed) -> None:
        """Ask for one job that the list leaves unclear."""
        now = clock()
        job.asked = time.monotonic()
        parts = self._parts_of(job, await self._gateway.job(job.job_id))
        if parts:
            if job.misses >= MISSES:
                # The list should have had it: a cancelled job loses its name, and not all filter alike.
                self._by_name = False
            self._note(job, parts, summarise(parts), now)
            return
        job.unknown = job.unknown or job.asked
        since = time.monotonic() - job.unknown
        if since > self._settings.lost_after:
            self._lose(job, f"Slurm has not known job {job.job_id} for {since:.0f} s")

    def _note(self, job: _Followed, parts: list[JobPart], summary: Summary, now: float) -> None:
        job.seen = now
        job.unknown = None
        settled = summary.settled and len(parts) >= job.components
        if summary.ended and not settled and job.unsettled < UNSETTLED:
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

    def _lose(self, job: _Followed, what: str) -> None:
        where = f"see sacct -j {job.job_id} on the system"
        self._end(job, errors.JobLostError(f"{what}: it is lost; whether it ran can't be told ({where})"))

    def _end(self, job: _Followed, outcome: list[JobPart] | Exception) -> None:
        if job.ended.done():
            return
        if isinstance(outcome, Exception):
            job.ended.set_exception(outcome)
        else:
            job.ended.set_result(outcome)

    def _bear(self, error: errors.GatewayError) -> None:
        """Go on in spite of an error, unless it is final or has lasted too long."""
        lasted = time.monotonic() - self._answered
        self._begin_anew()
        if isinstance(error, errors.FinalError) or lasted > self._settings.outage:
            self._fail(error)

    def _begin_anew(self) -> None:
        """Call no job lost soon after an outage: Slurm's accounting lags behind for minutes then."""
        for job in self._followed:
            job.unknown = None

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
