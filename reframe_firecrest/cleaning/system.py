"""The leftovers of runs on one system: one list of jobs answers for all of them."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from time import monotonic

from reframe_firecrest import errors
from reframe_firecrest.cleaning.leftovers import Leftover
from reframe_firecrest.clock import clock
from reframe_firecrest.gateway import policy
from reframe_firecrest.gateway.protocol import Gateway, JobPart
from reframe_firecrest.gateway.strays import NAMES
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.session import MakeGateway
from reframe_firecrest.session.watcher import Watcher, wait_for
from reframe_firecrest.settings import Settings
from reframe_firecrest.states import ENDED

OUTAGE = policy.EXHAUSTED_AFTER + policy.REST + 60.0
"""Seconds for which a gateway that does not answer is asked again: cleaning up can also be done later.

A killed run may have left it with a connection that is used up, which it must be given the time to replace.
"""

END_PATIENCE = 60.0
"""Seconds for jobs to end, from their cancel. Slurm kills what goes on 30 s after it (its KillWait)."""

LOOK_PAUSES = (0.3, 0.5, 1.0, 2.0)
"""Seconds between looks at jobs that are to end; the last one repeats."""


LATE_OUTAGE = 10.0
"""The same where nothing is known to be left: the gateway may not exist any more."""


def visit(settings: Settings, open_gateway: MakeGateway, outage: float = OUTAGE) -> Gateway:
    """Open a gateway outside of a session, on the loop."""
    settings = settings.model_copy(update={"outage": outage})
    # What takes long, such as removing a large directory, is done by a job.
    gateway = open_gateway(settings, lambda job_id: wait_for(watcher, job_id))
    watcher = Watcher(gateway, settings, reactor())
    return gateway


class System:
    """One system.

    Args:
        leftovers: what runs may have left there, at least one.
        open_gateway: makes a gateway.
    """

    def __init__(self, leftovers: Sequence[Leftover], open_gateway: MakeGateway) -> None:
        self._leftovers = leftovers
        outage = LATE_OUTAGE if all(leftover.finished for leftover in leftovers) else OUTAGE
        self._gateway = visit(leftovers[0].settings, open_gateway, outage)
        self._scripts: dict[str, str] = {}
        self._places: dict[str, str] = {}

    async def connect(self) -> None:
        """Prove that the system is there."""
        try:
            await self._gateway.connect()
        except errors.GatewayError as error:
            for leftover in self._leftovers:
                leftover.doubt(str(error))
        else:
            for leftover in self._leftovers:
                leftover.reached = True

    async def close(self) -> None:
        """Close the connections."""
        await self._gateway.close()

    def _reached(self, *, again: bool = False) -> list[Leftover]:
        return [one for one in self._leftovers if one.reached and (one.settled or one.cancelled or not again)]

    async def look(self) -> None:
        """Note what goes on and which directories are there, and change nothing."""

        async def look_at(leftover: Leftover) -> None:
            try:
                await self._gateway.list_directory(leftover.root)
            except errors.NotFoundError:
                return
            except errors.GatewayError as error:
                leftover.complain(str(error))
            else:
                leftover.removed = True

        leftovers = self._reached()
        if not leftovers:
            return
        try:
            for leftover, job_id in await self._active(leftovers):
                leftover.cancelled.add(job_id)
        except errors.GatewayError as error:
            for leftover in leftovers:
                leftover.doubt(str(error))
        await asyncio.gather(*(look_at(leftover) for leftover in leftovers if not leftover.finished))

    # --- jobs ---------------------------------------------------------------------------------------

    async def end_jobs(self, *, again: bool = False) -> None:
        """Cancel what goes on, and wait for its end.

        Args:
            again: only of runs that had jobs, or whose requests may have been under way, at the first time.
        """
        leftovers = self._reached(again=again)
        if not leftovers:
            return
        pauses = itertools.chain(LOOK_PAUSES, itertools.repeat(LOOK_PAUSES[-1]))
        deadline = math.inf
        try:
            while True:
                last = monotonic() > deadline
                # Pending and running jobs are always in the list.
                active = await self._active(leftovers)
                new = [(one, job_id) for one, job_id in active if job_id not in {*one.cancelled, *one.left}]
                await self._cancel(new)
                waited_for = [(one, job_id) for one, job_id in active if job_id not in one.left]
                if not waited_for:
                    return
                if new:
                    deadline = monotonic() + END_PATIENCE
                elif last:
                    break
                await asyncio.sleep(next(pauses))
            for leftover, job_id in waited_for:
                leftover.left[job_id] = f"it was cancelled, but has not ended within {END_PATIENCE:.0f} s"
        except errors.GatewayError as error:
            await self._cancel((one, job_id) for one in leftovers for job_id in one.known - one.cancelled)
            for leftover in leftovers:
                leftover.unclear = not leftover.is_void
                if leftover.unclear:
                    leftover.complain(f"could not determine whether its jobs are running: {error}")

    async def _active(self, leftovers: Iterable[Leftover]) -> list[tuple[Leftover, str]]:
        """List the jobs that go on, each with the run that it belongs to."""
        found: dict[str, Leftover] = {}
        for part in await self._gateway.jobs(clock(), instead=self._names()):
            if part.state in ENDED or part.base_id in found:
                continue
            for leftover in leftovers:
                if await self._is_of(leftover, part):
                    found[part.base_id] = leftover
        return [(leftover, job_id) for job_id, leftover in found.items()]

    def _names(self) -> list[str]:
        """Return the names that stand for all jobs where these can't be listed; none if some are unknown.

        A job that comes late has the name of another job of its run.
        """
        if any(one.story is None for one in self._leftovers):
            return []
        return sorted({*NAMES, *itertools.chain.from_iterable(one.names for one in self._leftovers)})

    async def _is_of(self, leftover: Leftover, part: JobPart) -> bool:
        place = part.working_directory or await self._place(part.base_id)
        if place == leftover.root or place.startswith(f"{leftover.root}/"):
            return True
        # Links on the way may have been resolved; and an id can be given to another job one day.
        if part.base_id in leftover.known and leftover.run in PurePosixPath(place).parts:
            return True
        return part.name in NAMES and f"{leftover.root}/" in await self._script(part.base_id)

    async def _place(self, job_id: str) -> str:
        if job_id not in self._places:
            self._places[job_id] = await self._gateway.directory(job_id)
        return self._places[job_id]

    async def _script(self, job_id: str) -> str:
        if job_id not in self._scripts:
            self._scripts[job_id] = await self._gateway.script(job_id)
        return self._scripts[job_id]

    async def _cancel(self, jobs: Iterable[tuple[Leftover, str]]) -> None:
        async def cancel(leftover: Leftover, job_id: str) -> None:
            try:
                await self._gateway.cancel(job_id)
            except errors.GatewayError as error:
                leftover.left[job_id] = str(error)
            else:
                leftover.cancelled.add(job_id)
                leftover.left.pop(job_id, None)

        await asyncio.gather(*(cancel(leftover, job_id) for leftover, job_id in jobs))

    # --- directories --------------------------------------------------------------------------------

    async def remove(self, in_use: set[str], *, again: bool = False) -> None:
        """Remove the directories.

        Args:
            in_use: those that stay.
            again: only of runs whose requests may have been under way at the first time.
        """

        async def remove(leftover: Leftover) -> None:
            if leftover.root in in_use:
                leftover.complain(f"{leftover.root} stays, because jobs may be using it")
                return
            try:
                await self._gateway.remove(leftover.root)
            except errors.GatewayError as error:
                leftover.removed = False
                if again or not (leftover.settled or leftover.cancelled):
                    leftover.complain(f"{leftover.root} could not be removed: {error}")
            else:
                leftover.removed = True

        await asyncio.gather(
            *(remove(leftover) for leftover in self._reached(again=again) if not leftover.is_void)
        )
