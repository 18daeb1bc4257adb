"""One request answers for all jobs; decides when to ask next.

Facts about the list (measured on FirecREST v2): a job that has just ended can be missing from it for about
a second; a question for a single job is answered rightly from the first instant; pending and running jobs are
always in it, whatever the time window.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reframe_firecrest import errors
from reframe_firecrest.gateway.protocol import Gateway, JobPart
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.settings import Settings
from reframe_firecrest.states import Summary, parts_of, summarise

WIDEN = 1.25
"""By which the step between two looks grows while nothing changes."""

MISSES = 2
"""Lists in a row that a job must be missing from before it is asked for singly."""

UNSETTLED = 10
"""Looks for which a job that has ended is followed on because Slurm has not told yet when it did."""


@dataclass
class _Followed:
    job_id: str
    name: str | None
    tell: Callable[[Summary], None]
    ended: asyncio.Future[list[JobPart]]
    seen: float = field(default_factory=time.time)
    misses: int = 0
    unsettled: int = 0
    state: str = ""


class Watcher:
    """Follows jobs to their end.

    Args:
        gateway: where to ask.
        settings: `poll_min`, `poll_max`, `outage` and `lost_after`.
        reactor: runs the watch.
    """

    def __init__(self, gateway: Gateway, settings: Settings, reactor: Reactor) -> None:
        self._gateway = gateway
        self._settings = settings
        self._reactor = reactor
        self._followed: dict[str, _Followed] = {}
        self._news = asyncio.Event()
        self._watching = False
        self._by_name = True
        self._answered = time.monotonic()

    async def follow(
        self, job_id: str, tell: Callable[[Summary], None], name: str | None = None
    ) -> list[JobPart]:
        """Follow a job; returns its parts when it has ended.

        Args:
            job_id: Slurm's id.
            tell: called with whatever a look shows.
            name: the job's name, if it is known: a list of few jobs by name is quicker than one of all.

        Raises:
            JobLostError: Slurm has not known it for `lost_after` seconds.
            GatewayError: the gateway refuses to tell, or could not be reached for `outage` seconds.
        """
        followed = _Followed(job_id, name, tell, asyncio.get_running_loop().create_future())
        self._followed[job_id] = followed
        self._news.set()
        if not self._watching:
            self._watching = True
            self._answered = time.monotonic()
            self._reactor.spawn(self._watch())
        try:
            return await followed.ended
        finally:
            self._followed.pop(job_id, None)

    async def _watch(self) -> None:
        step = self._settings.poll_min
        try:
            while self._followed:
                if await self._wait(step):
                    step = self._settings.poll_min
                if not self._followed:
                    break
                try:
                    changed = await self._look()
                except errors.GatewayError as error:
                    self._bear(error)
                    changed = False
                step = self._settings.poll_min if changed else min(step * WIDEN, self._settings.poll_max)
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits for an answer
            self._fail(error)
        finally:
            self._watching = False

    async def _wait(self, step: float) -> bool:
        """Wait for the next look; tell whether a new job shortened the wait."""
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), step)
        except asyncio.TimeoutError:
            return False
        await asyncio.sleep(min(step, self._settings.poll_min))
        return True

    async def _look(self) -> bool:
        now = time.time()
        followed = list(self._followed.values())
        names = [job.name for job in followed if job.name] if self._by_name else []
        if len(names) < len(followed):
            names = []
        listed = await self._gateway.jobs(min(job.seen for job in followed), names)
        self._answered = time.monotonic()
        unclear = []
        changed = False
        for job in followed:
            parts = parts_of(job.job_id, listed)
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
                changed |= self._note(job, parts, summary, now)
        for result in await asyncio.gather(*(self._ask(job) for job in unclear)):
            changed |= result
        return changed

    async def _ask(self, job: _Followed) -> bool:
        """Ask for one job that the list leaves unclear."""
        now = time.time()
        parts = parts_of(job.job_id, await self._gateway.job(job.job_id))
        if parts:
            if job.misses >= MISSES:
                # The list should have had it: a cancelled job loses its name, and not all filter alike.
                self._by_name = False
            return self._note(job, parts, summarise(parts), now)
        if now - job.seen > self._settings.lost_after:
            self._end(
                job,
                errors.JobLostError(
                    f"Slurm has not known job {job.job_id} for {now - job.seen:.0f} s: it is lost; whether "
                    f"it ran can't be told (see sacct -j {job.job_id} on the system)"
                ),
            )
        return False

    def _note(self, job: _Followed, parts: list[JobPart], summary: Summary, now: float) -> bool:
        job.seen = now
        if summary.ended and not summary.settled and job.unsettled < UNSETTLED:
            # Its exit code can't be believed yet.
            job.unsettled += 1
            return True
        changed = summary.state != job.state
        job.state = summary.state
        job.tell(summary)
        if summary.ended:
            self._end(job, parts)
        return changed

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
        if isinstance(error, errors.FinalError) or lasted > self._settings.outage:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        for job in list(self._followed.values()):
            self._end(job, error)


def ignore(_summary: Summary) -> None:
    """For those who only wait for the end."""


async def wait_for(watcher: Watcher, job_id: str) -> Sequence[JobPart]:
    """Wait for the end of a job that is not ReFrame's, such as a transfer job."""
    return await watcher.follow(job_id, ignore)
