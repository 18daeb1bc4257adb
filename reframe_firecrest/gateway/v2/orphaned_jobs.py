"""Cancellation of orphaned transfer jobs, which are found by the paths in their scripts.

A request whose answer is lost may have queued a job. A job that should receive a file waits for it until its
time limit and occupies a node; one that unpacks an archive late overwrites newer files. Source for the jobs'
names: FirecREST v2.5's own code, in which jobs that unpack have the name of those that pack.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time

from reframe_firecrest.gateway.deployment import Deployment
from reframe_firecrest.gateway.http import operations, slurm_messages
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.protocol import LATEST_EFFECT
from reframe_firecrest.gateway.v2 import schemas
from reframe_firecrest.gateway.v2.client import Client
from reframe_firecrest.gateway.v2.job_list import JobList
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED
from reframe_firecrest.model.units import format_duration

TRANSFER_JOB_NAMES = ("IngressFileTransfer", "OutgressFileTransfer", "CompressFiles", "ExtractFiles")

PATIENCE = 60.0
"""Seconds for the search and the cancellation, since a caller waits for them."""

_LOGGER = logging.getLogger(__name__)


class OrphanedJobs:
    """Finds and cancels the orphaned transfer jobs of one system.

    Args:
        deployment: the system, and what is known of it.
        client: makes single requests.
        call: retries them and translates their errors.
    """

    def __init__(self, deployment: Deployment, client: Client, call: RetryingClient) -> None:
        self._jobs = f"/compute/{deployment.system}/jobs"
        self._list = JobList(deployment, client, call)
        self._client = client
        self._call = call
        self._suspected: set[str] = set()
        self._suspected_at = 0.0
        self._followed: set[str] = set()
        self._given_up: set[str] = set()

    def follow(self, job_id: str) -> None:
        """Note that a job is being followed."""
        self._followed.add(job_id)

    def give_up(self, job_id: str) -> None:
        """Note that a job is no longer followed."""
        self._given_up.add(job_id)

    def suspect(self, *paths: str) -> None:
        """Note that there may be jobs whose scripts contain these paths, which no other run uses."""
        self._suspected.update(paths)
        self._suspected_at = time.monotonic()

    def unsettled(self) -> float:
        """Return the seconds for which a job of a request without an answer may still be queued."""
        left = self._suspected_at + LATEST_EFFECT - time.monotonic()
        return max(left, 0.0) if self._suspected else 0.0

    async def finish(self) -> None:
        """Cancel the strays, once none can come any more."""
        await asyncio.sleep(self.unsettled())
        await self.cancel()

    async def rule_out(self, path: str) -> None:
        """Cancel the jobs whose scripts contain a path, if there may be any.

        Raises:
            GatewayError: a job may remain.
        """
        if path in self._suspected:
            await self._cancel_all()

    async def cancel(self) -> None:
        """Cancel the orphaned jobs; send no request if there cannot be any.

        Errors are logged, since they do not affect the caller's transfer.
        """
        try:
            await asyncio.wait_for(self._cancel_all(), PATIENCE)
        except asyncio.TimeoutError:
            _LOGGER.warning(
                "orphaned transfer jobs may remain: no answer within %s", format_duration(PATIENCE)
            )
        except errors.GatewayError as error:
            _LOGGER.warning("orphaned transfer jobs may remain: %s", error)

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
