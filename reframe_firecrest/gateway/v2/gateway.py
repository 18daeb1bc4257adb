"""Implementation of the gateway protocol for FirecREST v2."""

from __future__ import annotations

import asyncio
import posixpath
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import httpx

from reframe_firecrest.gateway.deployment import Deployment
from reframe_firecrest.gateway.http import operations, slurm_messages
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.error_mapping import V2
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.v2 import cluster_schemas, schemas
from reframe_firecrest.gateway.v2.client import Client
from reframe_firecrest.gateway.v2.filesystem import Filesystem
from reframe_firecrest.gateway.v2.inline_job import inline_job
from reframe_firecrest.gateway.v2.job_list import JobList
from reframe_firecrest.gateway.v2.systems import System, gateway_status, parse_systems, system_info
from reframe_firecrest.gateway.v2.transfers import Transfers
from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import ConnectionMode
from reframe_firecrest.model.gateway_status import GatewayStatus
from reframe_firecrest.model.job_follower import JobFollower
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.system import AccountInfo, Cluster, SystemInfo

Result = TypeVar("Result")

NOT_IMPLEMENTED = 501
"""Status with which a gateway refuses to submit a path. Source: ``slurm_client.py`` of FirecREST v2."""


class GatewayV2(Filesystem):
    """One system behind one FirecREST v2 gateway.

    Args:
        connection: to the gateway.
    """

    def __init__(self, connection: Connection) -> None:
        settings, call = connection.settings, connection.client(V2)
        self._connection = connection
        self._systems: object | None = None
        client = Client(connection.url, connection.authorization, connection.http)
        client.timeout = httpx.Timeout(30.0, connect=10.0)
        deployment = Deployment(settings.system, connection.where, settings.account)
        transfers = Transfers(deployment, client, call, connection.objects)
        super().__init__(settings, client, call, transfers)
        # Each query takes two of the ten sessions that sshd allows by default.
        self._single_slots = asyncio.Semaphore(4)
        self._job_list = JobList(deployment, client, call, self.job)
        self._directories: dict[str, str] = {}

    # --- status -------------------------------------------------------------------------------------

    async def status(self) -> GatewayStatus:
        """Query the gateway's version, its systems and their health."""

        async def ask() -> GatewayStatus:
            sent, begun = time.time(), time.monotonic()
            answer, headers = await self._get_systems()
            return gateway_status(answer, headers, sent, time.monotonic() - begun)

        return await self._first(ask)

    async def reach(self, url: str) -> int:
        """Send one request to a storage; see the protocol."""
        return await self._connection.objects.reach(url)

    def follow_jobs_with(self, follower: JobFollower) -> None:
        """Set the follower that waits for transfer jobs."""
        self._transfers.jobs.follower = follower

    def take_systems(self, systems: object) -> None:
        """Take the gateway's answer for its systems, which has just been requested, for `connect`."""
        self._systems = systems

    def charge_transfers_to(self, account: str) -> None:
        """Charge transfer jobs to an account; see the protocol."""
        self._deployment.charge(account)

    async def connect(self) -> SystemInfo:
        """Query the system; see the protocol."""

        async def ask() -> Sequence[System]:
            answer, _ = await self._get_systems()
            return parse_systems(answer)

        systems = self._given_systems() or await self._first(ask)
        for system in systems:
            if system.name == self._system:
                info = system_info(system)
                self._deployment.learn(info.capabilities)
                return info
        raise self._connection.unknown_system(system.name for system in systems)

    def _given_systems(self) -> Sequence[System]:
        """Return the systems of an answer to another request; none if it is missing or invalid.

        This is not an operation of its own: the throttle would take its duration for a response time.
        """
        answer, self._systems = self._systems, None
        with suppress(ValueError):
            return parse_systems(answer) if answer is not None else ()
        return ()

    async def _get_systems(self) -> tuple[object, httpx.Headers]:
        return await self._client.get_with_headers("/status/systems")

    async def _first(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Make a first request, which shows whether the address is that of a FirecREST."""
        try:
            return await self._call(operations.CONNECT, ask)
        except errors.NotFoundError as error:
            raise self._connection.not_found(self._call.api, error) from None

    async def cluster(self) -> Cluster:
        """Query nodes, partitions and reservations concurrently."""
        return Cluster(
            *await asyncio.gather(
                self._status("nodes", cluster_schemas.parse_nodes),
                self._status("partitions", cluster_schemas.parse_partitions),
                self._status("reservations", cluster_schemas.parse_reservations),
            )
        )

    async def accounts(self) -> list[AccountInfo]:
        """Query the user's accounts."""
        return await self._status("userinfo", cluster_schemas.parse_accounts, operations.USER)

    async def _status(
        self, what: str, translation: Callable[[object], Result], operation: Operation = operations.STATUS
    ) -> Result:
        async def ask() -> Result:
            return translation(await self._client.get_json(f"/status/{self._system}/{what}"))

        return await self._call(operation, ask)

    # --- jobs ---------------------------------------------------------------------------------------

    def _jobs(self, job_id: str = "") -> str:
        return f"/compute/{self._system}/jobs" + (f"/{job_id}" if job_id else "")

    async def submit(self, script: str, directory: str, account: str | None) -> str:
        """Submit a script on the system; inline, if the gateway can't submit a path."""
        if self._deployment.capabilities.connection_mode is ConnectionMode.REST:
            return await self._submit_inline(script, directory, account)
        job: dict[str, object] = {"working_directory": directory, "scriptPath": script}
        if account:
            job["account"] = account
        try:
            return await self._submit(job)
        except errors.RejectedError as error:
            if error.status != NOT_IMPLEMENTED:
                raise
            self._deployment.submits_by_slurmrestd()
            return await self._submit_inline(script, directory, account)

    async def _submit_inline(self, script: str, directory: str, account: str | None) -> str:
        """Submit the content of a script. It is read from the system, where it may have been completed."""
        content = await self._call(
            operations.DOWNLOAD, lambda: self._client.download_direct(self._system, script)
        )
        text = content.decode("utf-8", "surrogateescape")
        return await self._submit(inline_job(text, directory, account, self._where))

    async def _submit(self, job: Mapping[str, object]) -> str:
        async def ask() -> str:
            try:
                return schemas.parse_job_id(await self._client.post_json(self._jobs(), {"job": job}, 201))
            except (ValueError, RecursionError):
                # The answer is unreadable, but the job may exist.
                raise errors.UncertainError(
                    f"{operations.SUBMIT.name} on {self._where} failed: no job id in the answer"
                ) from None

        return await self._call(operations.SUBMIT, ask)

    async def jobs(
        self,
        seen_since: float,
        names: Sequence[str] = (),
        ids: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> list[JobPart]:
        """List the user's jobs; ids only matter if the gateway fails to list them."""
        return await self._job_list.get(seen_since, names, ids, instead)

    def names_per_list(self, names: Sequence[str]) -> int:
        """Return how many of these names one request can list; see the protocol."""
        return self._job_list.names_per_list(names)

    async def find(
        self,
        script: str,  # noqa: ARG002 - the directory identifies the job, since it has one at a time
        directory: str,
        name: str,
        since: float,
    ) -> list[str]:
        """Find jobs by their working directory."""
        found = []
        for part in await self.jobs(since, instead=[name]):
            working_directory = part.working_directory or self._directories.get(part.base_id, "")
            if not working_directory:
                working_directory = self._directories[part.base_id] = await self.directory(part.base_id)
            if working_directory == directory:
                found.append(part.base_id)
        return found

    async def job(self, job_id: str) -> list[JobPart]:
        """Query one job."""

        async def ask() -> list[JobPart]:
            return schemas.parse_jobs(await self._client.get_json(self._jobs(job_id)))

        try:
            async with self._single_slots:
                return await self._call(operations.ASK_JOB, ask)
        except errors.NotFoundError:
            return []
        except errors.TooLargeError as error:
            raise self._deployment.too_much_output(operations.ASK_JOB.name, error) from None

    async def script(self, job_id: str) -> str:
        """Query a job's script."""
        return "\n".join(await self._metadata(job_id, schemas.parse_scripts, []))

    async def directory(self, job_id: str) -> str:
        """Query the directory of a job's output; see the protocol."""
        return posixpath.dirname(await self._metadata(job_id, schemas.parse_output, ""))

    async def _metadata(
        self, job_id: str, translation: Callable[[object], Result], nothing: Result
    ) -> Result:
        async def ask() -> Result:
            return translation(await self._client.get_json(f"{self._jobs(job_id)}/metadata"))

        try:
            return await self._call(operations.LIST_JOBS, ask)
        except errors.NotFoundError:
            return nothing

    async def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        try:
            await self._call(operations.CANCEL, lambda: self._client.delete(self._jobs(job_id), None, 204))
        except errors.RejectedError as error:
            if not re.search(slurm_messages.JOB_HAS_ENDED, str(error)):
                raise

    # --- the end ------------------------------------------------------------------------------------

    def unsettled(self) -> float:
        """Return how long closing takes; see the protocol."""
        return max(self._transfers.unsettled(), self._call.unsettled())

    async def close(self) -> None:
        """Cancel orphaned jobs, and close all connections."""
        await self._transfers.close()
        await self._connection.close()

    def stats(self) -> dict[str, int]:
        """Count the requests, the bytes sent and received, and the most requests in flight."""
        return self._connection.stats()
