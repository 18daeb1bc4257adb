"""Transfer jobs that nobody waits for: found by what their scripts name, and cancelled.

A request whose answer is lost may have queued a job all the same. One that is to receive a file waits for
it until its time limit, holding a node; one that unpacks an archive late puts old files over new ones.
Source for the jobs' names: FirecREST v2.5's own code, where unpacking goes by the name of packing.
"""

from __future__ import annotations

import asyncio
import logging
import re

from reframe_firecrest.gateway.http import operations, slurm_messages
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.v2 import schemas
from reframe_firecrest.gateway.v2.client import Client
from reframe_firecrest.gateway.v2.job_list import JobList
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED

TRANSFER_JOB_NAMES = ("IngressFileTransfer", "OutgressFileTransfer", "CompressFiles", "ExtractFiles")

PATIENCE = 60.0
"""Seconds that a look for them may take; who waits for it has other things to do."""

_LOGGER = logging.getLogger(__name__)


class OrphanedJobs:
    """Looks for stray transfer jobs, where there can be any.

    Args:
        system: where they are.
        client: makes single requests.
        call: repeats and translates them.
    """

    def __init__(self, system: str, client: Client, call: RetryingClient) -> None:
        self._jobs = f"/compute/{system}/jobs"
        self._list = JobList(self._jobs, client, call)
        self._client = client
        self._call = call
        self._suspected: set[str] = set()
        self._followed: set[str] = set()
        self._given_up: set[str] = set()

    def follow(self, job_id: str) -> None:
        """Note that somebody waits for a job."""
        self._followed.add(job_id)

    def give_up(self, job_id: str) -> None:
        """Note that nobody waits for a job any more."""
        self._given_up.add(job_id)

    def suspect(self, *paths: str) -> None:
        """Note that there may be jobs whose scripts name paths that no other run's do."""
        self._suspected.update(paths)

    async def rule_out(self, path: str) -> None:
        """Cancel the jobs whose scripts name a path, if there may be any.

        Raises:
            GatewayError: it is not known whether there are.
        """
        if path in self._suspected:
            await self._cancel_all()

    async def cancel(self) -> None:
        """Cancel the strays that there are; asks for nothing where there can be none.

        What goes wrong is logged, since whoever needs a transfer needs none of these.
        """
        try:
            await asyncio.wait_for(self._cancel_all(), PATIENCE)
        except asyncio.TimeoutError:
            _LOGGER.warning("transfer jobs may be left that nobody waits for: no answer in %.0f s", PATIENCE)
        except errors.GatewayError as error:
            _LOGGER.warning("transfer jobs may be left that nobody waits for: %s", error)

    async def _cancel_all(self) -> None:
        orphaned_jobs = set(self._given_up)
        if self._suspected:
            orphaned_jobs |= {
                part.base_id
                for part in await self._list.get(clock(), TRANSFER_JOB_NAMES)
                if await self._is_orphaned(part)
            }
        await asyncio.gather(*(self._cancel(job_id) for job_id in orphaned_jobs))

    async def _is_orphaned(self, part: JobPart) -> bool:
        # Not all gateways filter by name.
        if part.name not in TRANSFER_JOB_NAMES or part.state in ENDED or part.base_id in self._followed:
            return False

        async def ask() -> list[str]:
            return schemas.parse_scripts(await self._client.get_json(f"{self._jobs}/{part.base_id}/metadata"))

        try:
            scripts = await self._call(operations.LIST_JOBS, ask)
        except errors.NotFoundError:
            return False
        return any(path in script for path in self._suspected for script in scripts)

    async def _cancel(self, job_id: str) -> None:
        try:
            await self._call(
                operations.CANCEL, lambda: self._client.delete(f"{self._jobs}/{job_id}", None, 204)
            )
        except errors.RejectedError as error:
            if not re.search(slurm_messages.JOB_HAS_ENDED, str(error)):
                raise
        self._given_up.discard(job_id)
