"""The leftovers of runs on one system: one list of jobs answers for all of them."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from time import monotonic

from reframe_firecrest.commands.clean.residue import RemoteResidue
from reframe_firecrest.gateway.http import policy
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.gateway.v2.orphaned_jobs import TRANSFER_JOB_NAMES
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.session import Connect
from reframe_firecrest.session.watcher import Watcher
from reframe_firecrest.settings import Settings

OUTAGE = policy.EXHAUSTED_AFTER + policy.COOLDOWN + 60.0
"""Seconds for which a gateway that does not answer is asked again: cleaning up can also be done later.

A killed run may have left it with a connection that is used up, which it must be given the time to replace.
"""

END_PATIENCE = 60.0
"""Seconds for jobs to end, from their cancel. Slurm kills what goes on 30 s after it (its KillWait)."""

POLL_PAUSES = (0.3, 0.5, 1.0, 2.0)
"""Seconds between looks at jobs that are to end; the last one repeats."""


LATE_OUTAGE = 10.0
"""The same where nothing is known to be left: the gateway may not exist any more."""


async def connected_cleaner(settings: Settings, connect: Connect, outage: float = OUTAGE) -> Gateway:
    """Open a gateway outside of a session, on the loop."""
    settings = settings.model_copy(update={"retry_timeout": outage})
    connection = connect(settings)
    try:
        gateway = await connection.open_gateway()
    except BaseException:
        await connection.close()
        raise
    # What takes long, such as removing a large directory, is done by a job.
    gateway.follow_jobs_with(Watcher(gateway, settings, reactor()))
    return gateway


class SystemCleaner:
    """One system.

    Args:
        residues: what runs may have left there, at least one.
        connect: makes the connection to a gateway.
    """

    def __init__(self, residues: Sequence[RemoteResidue], connect: Connect) -> None:
        self._leftovers = residues
        self._connect = connect
        self._gateway: Gateway
        self._scripts: dict[str, str] = {}
        self._places: dict[str, str] = {}

    async def connect(self) -> None:
        """Prove that the system is there."""
        outage = LATE_OUTAGE if all(residue.finished for residue in self._leftovers) else OUTAGE
        try:
            self._gateway = await connected_cleaner(self._leftovers[0].settings, self._connect, outage)
            await self._gateway.connect()
        except errors.GatewayError as error:
            for residue in self._leftovers:
                residue.doubt(str(error))
        else:
            for residue in self._leftovers:
                residue.reached = True

    async def close(self) -> None:
        """Close the connections."""
        if hasattr(self, "_gateway"):
            await self._gateway.close()

    def _reached(self, *, again: bool = False) -> list[RemoteResidue]:
        return [one for one in self._leftovers if one.reached and (one.settled or one.cancelled or not again)]

    async def look(self) -> None:
        """Note what goes on and which directories are there, and change nothing."""

        async def look_at(residue: RemoteResidue) -> None:
            try:
                await self._gateway.list_directory(residue.root)
            except errors.NotFoundError:
                return
            except errors.GatewayError as error:
                residue.complain(str(error))
            else:
                residue.removed = True

        residues = self._reached()
        if not residues:
            return
        try:
            for residue, job_id in await self._active(residues):
                residue.cancelled.add(job_id)
        except errors.GatewayError as error:
            for residue in residues:
                residue.doubt(str(error))
        await asyncio.gather(*(look_at(residue) for residue in residues if not residue.finished))

    # --- jobs ---------------------------------------------------------------------------------------

    async def end_jobs(self, *, again: bool = False) -> None:
        """Cancel what goes on, and wait for its end.

        Args:
            again: only of runs that had jobs, or whose requests may have been under way, at the first time.
        """
        residues = self._reached(again=again)
        if not residues:
            return
        pauses = itertools.chain(POLL_PAUSES, itertools.repeat(POLL_PAUSES[-1]))
        deadline = math.inf
        try:
            while True:
                last = monotonic() > deadline
                # Pending and running jobs are always in the list.
                active = await self._active(residues)
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
            for residue, job_id in waited_for:
                residue.left[job_id] = f"it was cancelled, but has not ended within {END_PATIENCE:.0f} s"
        except errors.GatewayError as error:
            await self._cancel((one, job_id) for one in residues for job_id in one.known - one.cancelled)
            for residue in residues:
                residue.unclear = not residue.is_void
                if residue.unclear:
                    residue.complain(f"could not determine whether its jobs are running: {error}")

    async def _active(self, residues: Iterable[RemoteResidue]) -> list[tuple[RemoteResidue, str]]:
        """List the jobs that go on, each with the run that it belongs to."""
        found: dict[str, RemoteResidue] = {}
        for part in await self._gateway.jobs(clock(), instead=self._names()):
            if part.state in ENDED or part.base_id in found:
                continue
            for residue in residues:
                if await self._is_of(residue, part):
                    found[part.base_id] = residue
        return [(residue, job_id) for job_id, residue in found.items()]

    def _names(self) -> list[str]:
        """Return the names that stand for all jobs where these can't be listed; none if some are unknown.

        A job that comes late has the name of another job of its run.
        """
        if any(one.session_log is None for one in self._leftovers):
            return []
        return sorted(
            {*TRANSFER_JOB_NAMES, *itertools.chain.from_iterable(one.names for one in self._leftovers)}
        )

    async def _is_of(self, residue: RemoteResidue, part: JobPart) -> bool:
        place = part.working_directory or await self._place(part.base_id)
        if place == residue.root or place.startswith(f"{residue.root}/"):
            return True
        # Links on the way may have been resolved; and an id can be given to another job one day.
        if part.base_id in residue.known and residue.run in PurePosixPath(place).parts:
            return True
        return part.name in TRANSFER_JOB_NAMES and f"{residue.root}/" in await self._script(part.base_id)

    async def _place(self, job_id: str) -> str:
        if job_id not in self._places:
            self._places[job_id] = await self._gateway.directory(job_id)
        return self._places[job_id]

    async def _script(self, job_id: str) -> str:
        if job_id not in self._scripts:
            self._scripts[job_id] = await self._gateway.script(job_id)
        return self._scripts[job_id]

    async def _cancel(self, jobs: Iterable[tuple[RemoteResidue, str]]) -> None:
        async def cancel(residue: RemoteResidue, job_id: str) -> None:
            try:
                await self._gateway.cancel(job_id)
            except errors.GatewayError as error:
                residue.left[job_id] = str(error)
            else:
                residue.cancelled.add(job_id)
                residue.left.pop(job_id, None)

        await asyncio.gather(*(cancel(residue, job_id) for residue, job_id in jobs))

    # --- directories --------------------------------------------------------------------------------

    async def remove(self, in_use: set[str], *, again: bool = False) -> None:
        """Remove the directories.

        Args:
            in_use: those that stay.
            again: only of runs whose requests may have been under way at the first time.
        """

        async def remove(residue: RemoteResidue) -> None:
            if residue.root in in_use:
                residue.complain(f"{residue.root} stays, because jobs may be using it")
                return
            try:
                await self._gateway.remove(residue.root)
            except errors.GatewayError as error:
                residue.removed = False
                if again or not (residue.settled or residue.cancelled):
                    residue.complain(f"{residue.root} could not be removed: {error}")
            else:
                residue.removed = True

        await asyncio.gather(
            *(remove(residue) for residue in self._reached(again=again) if not residue.is_void)
        )
