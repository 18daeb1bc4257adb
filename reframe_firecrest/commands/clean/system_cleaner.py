"""Clean up after runs on one system; one list of jobs serves all runs."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
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
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.session.remote_removal import remove_tree
from reframe_firecrest.session.session import Connect
from reframe_firecrest.session.standalone import standalone_gateway

RETRY_TIMEOUT = policy.EXHAUSTED_AFTER + policy.COOLDOWN + 60.0
"""Seconds of retries on a gateway that does not answer; short, because a clean-up can be repeated later.

A killed run may have exhausted the gateway's connection to the system, which takes time to be replaced.
"""

LATE_RETRY_TIMEOUT = 10.0
"""The same if nothing is known to be left: the gateway may no longer exist."""

END_TIMEOUT = 60.0
"""Seconds from a job's cancellation to its end. Slurm kills its processes 30 s after it (KillWait)."""

POLL_PAUSES = (0.3, 0.5, 1.0, 2.0)
"""Seconds between lists of jobs while cancelled jobs end; the last one repeats."""


class SystemCleaner:
    """Cleans up on one system.

    Args:
        residues: what runs may have left on the system; at least one.
    """

    _gateway: Gateway

    def __init__(self, residues: Sequence[RemoteResidue]) -> None:
        self._residues = residues
        self._scripts: dict[str, str] = {}
        self._directories: dict[str, str] = {}

    async def connect(self, gateways: AsyncExitStack, connect: Connect) -> None:
        """Open the gateway and check that the system answers.

        Args:
            gateways: closes the gateway at its end.
            connect: makes the connection to the gateway.
        """
        late_only = all(residue.finished for residue in self._residues)
        retry_timeout = LATE_RETRY_TIMEOUT if late_only else RETRY_TIMEOUT
        settings = self._residues[0].settings.model_copy(update={"retry_timeout": retry_timeout})
        try:
            opened = standalone_gateway(settings, connect)
            self._gateway = await gateways.enter_async_context(opened)
            self._charge()
            await self._gateway.connect()
        except errors.GatewayError as error:
            for residue in self._residues:
                residue.add_doubt(str(error))
        else:
            for residue in self._residues:
                residue.reached = True

    def _charge(self) -> None:
        """Charge transfer jobs, which remove large directories, to an account of the runs."""
        account = next(filter(None, (residue.account for residue in self._residues)), None)
        if account:
            self._gateway.charge_transfers_to(account)

    def _reached(self, *, again: bool = False) -> list[RemoteResidue]:
        return [
            residue
            for residue in self._residues
            if residue.reached and (residue.settled or residue.cancelled or not again)
        ]

    async def inspect(self) -> None:
        """Note which jobs have not ended and which directories exist; change nothing."""
        residues = self._reached()
        if not residues:
            return
        try:
            for residue, job_id in await self._active(residues):
                residue.cancelled.add(job_id)
        except errors.GatewayError as error:
            for residue in residues:
                residue.add_doubt(str(error))
        await asyncio.gather(*(self._inspect_root(residue) for residue in residues if not residue.finished))

    async def _inspect_root(self, residue: RemoteResidue) -> None:
        try:
            await self._gateway.list_directory(residue.root)
        except errors.NotFoundError:
            return
        except errors.GatewayError as error:
            residue.add_problem(str(error))
        else:
            residue.removed = True

    # --- jobs ---------------------------------------------------------------------------------------

    async def cancel_jobs(self, *, again: bool = False) -> None:
        """Cancel the jobs that have not ended, and wait for their end.

        Args:
            again: only for runs that had jobs, or may have had requests in progress, the first time.
        """
        residues = self._reached(again=again)
        if not residues:
            return
        try:
            for residue, job_id in await self._cancel_until_ended(residues):
                residue.left[job_id] = (
                    f"it was cancelled, but has not ended within {format_duration(END_TIMEOUT)}"
                )
        except errors.GatewayError as error:
            await self._cancel(
                (residue, job_id) for residue in residues for job_id in residue.known - residue.cancelled
            )
            for residue in residues:
                residue.jobs_unknown = not residue.is_void
                if residue.jobs_unknown:
                    residue.add_problem(f"could not determine whether its jobs are running: {error}")

    async def _cancel_until_ended(self, residues: Sequence[RemoteResidue]) -> list[tuple[RemoteResidue, str]]:
        """Cancel jobs as they appear in the list until all have ended; return those that have not in time."""
        pauses = itertools.chain(POLL_PAUSES, itertools.repeat(POLL_PAUSES[-1]))
        deadline = math.inf
        while True:
            last = monotonic() > deadline
            # Pending and running jobs are always in the list.
            active = await self._active(residues)
            new = [(run, job_id) for run, job_id in active if job_id not in {*run.cancelled, *run.left}]
            await self._cancel(new)
            ending = [(run, job_id) for run, job_id in active if job_id not in run.left]
            if not ending or (last and not new):
                return ending
            if new:
                deadline = monotonic() + END_TIMEOUT
            await asyncio.sleep(next(pauses))

    async def _active(self, residues: Iterable[RemoteResidue]) -> list[tuple[RemoteResidue, str]]:
        """Return the jobs that have not ended, each with the run that it belongs to."""
        owners: dict[str, RemoteResidue] = {}
        for part in await self._gateway.jobs(clock(), instead=self._names()):
            if part.state in ENDED or part.base_id in owners:
                continue
            for residue in residues:
                if await self._belongs_to(residue, part):
                    owners[part.base_id] = residue
        return [(residue, job_id) for job_id, residue in owners.items()]

    def _names(self) -> list[str]:
        """Return the names by which jobs are listed if all jobs can't be; none if some names are unknown.

        A late job has the name of another job of its run.
        """
        if any(residue.session_log is None for residue in self._residues):
            return []
        names = itertools.chain.from_iterable(residue.names for residue in self._residues)
        return sorted({*TRANSFER_JOB_NAMES, *names})

    async def _belongs_to(self, residue: RemoteResidue, part: JobPart) -> bool:
        directory = part.working_directory or await self._directory(part.base_id)
        if directory == residue.root or directory.startswith(f"{residue.root}/"):
            return True
        # Slurm may have resolved links in the path. The id alone does not suffice: Slurm reuses ids.
        if part.base_id in residue.known and residue.run in PurePosixPath(directory).parts:
            return True
        return part.name in TRANSFER_JOB_NAMES and f"{residue.root}/" in await self._script(part.base_id)

    async def _directory(self, job_id: str) -> str:
        if job_id not in self._directories:
            self._directories[job_id] = await self._gateway.directory(job_id)
        return self._directories[job_id]

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
        """Remove the directories of the runs.

        Args:
            in_use: directories to keep because jobs may be using them.
            again: only for runs that had jobs, or may have had requests in progress, the first time.
        """
        residues = [residue for residue in self._reached(again=again) if not residue.is_void]
        await asyncio.gather(*(self._remove_root(residue, in_use, again=again) for residue in residues))

    async def _remove_root(self, residue: RemoteResidue, in_use: set[str], *, again: bool) -> None:
        if residue.root in in_use:
            residue.add_problem(f"{residue.root} was not removed: jobs may be using it")
            return
        try:
            await remove_tree(self._gateway, residue.root)
        except errors.GatewayError as error:
            residue.removed = False
            # Otherwise it is tried again.
            if again or not (residue.settled or residue.cancelled):
                residue.add_problem(f"{residue.root} could not be removed: {error}")
        else:
            residue.removed = True
