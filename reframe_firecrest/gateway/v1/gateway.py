"""FirecREST v1 behind the gateway's protocol: what its sections make together."""

from __future__ import annotations

from collections.abc import Sequence

from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.v1.client import Client
from reframe_firecrest.gateway.v1.compute import Compute
from reframe_firecrest.gateway.v1.error_mapping import V1
from reframe_firecrest.gateway.v1.filesystem import Filesystem
from reframe_firecrest.gateway.v1.status import Status
from reframe_firecrest.gateway.v1.submission_search import SubmissionSearch
from reframe_firecrest.gateway.v1.tasks import Tasks
from reframe_firecrest.gateway.v1.transfers import Transfers
from reframe_firecrest.model.gateway_status import GatewayStatus
from reframe_firecrest.model.job_follower import JobFollower
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.system import AccountInfo, Cluster, SystemInfo


class GatewayV1(Filesystem):
    """One system behind one FirecREST v1 gateway.

    Args:
        connection: the way there.
    """

    def __init__(self, connection: Connection) -> None:
        call = connection.client(V1)
        client = Client(connection)
        tasks = Tasks(client, call)
        compute = Compute(client, call, tasks)
        transfers = Transfers(connection, client, call, tasks=tasks, compute=compute)
        super().__init__(client, call, transfers)
        self._connection = connection
        self._tasks = tasks
        self._compute = compute
        self._search = SubmissionSearch(compute, tasks)
        self._status = Status(connection, client, call)

    # --- status -------------------------------------------------------------------------------------

    async def status(self) -> GatewayStatus:
        """Ask for all that the gateway tells of itself."""
        return await self._status.status()

    async def reach(self, url: str) -> int:
        """Ask a storage for anything at all."""
        return await self._connection.objects.reach(url)

    def follow_jobs_with(self, follower: JobFollower) -> None:
        """Set the follower that waits for transfer jobs."""
        self._transfers.jobs.follower = follower

    async def connect(self) -> SystemInfo:
        """Ask for the gateway's version and limits; Slurm's version is not told."""
        told = await self._status.parameters()
        self.limit(told.max_direct, told.longest_command)
        self._transfers.max_size = told.max_stored
        return SystemInfo(self._connection.settings.system, None, self.max_upload)

    async def cluster(self) -> Cluster:
        """Ask for nodes, partitions and reservations."""
        return await self._compute.cluster()

    async def accounts(self) -> list[AccountInfo]:
        """Return nothing: FirecREST v1 tells no accounts."""
        return []

    # --- jobs ---------------------------------------------------------------------------------------

    async def submit(self, script: str, directory: str, account: str | None) -> str:
        """Submit a script that lies in its job's directory."""
        return await self._compute.submit(script, directory, account)

    async def jobs(
        self,
        seen_since: float,
        names: Sequence[str] = (),
        ids: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> list[JobPart]:
        """Ask for jobs by their ids; without ids, for all of the user's that go on."""
        return await self._compute.jobs(seen_since, names, ids, instead)

    async def find(self, script: str, directory: str, name: str, since: float) -> list[str] | None:  # noqa: ARG002
        """Look for jobs by their script."""
        return await self._search.find(script, name, since)

    async def job(self, job_id: str) -> list[JobPart]:
        """Ask for one job."""
        return await self._compute.job(job_id)

    async def script(self, job_id: str) -> str:  # noqa: ARG002
        """Return nothing: FirecREST v1 tells no scripts. Our transfer jobs' names say what they work on."""
        return ""

    async def directory(self, job_id: str) -> str:
        """Ask where the script of a job lies that goes on: there it works."""
        return await self._compute.directory(job_id)

    async def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        await self._compute.cancel(job_id)

    # --- the end ------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Stop waiting for tasks, and close all connections."""
        await self._tasks.close()
        await self._connection.close()

    def stats(self) -> dict[str, int]:
        """Count what went over the wire."""
        return self._connection.stats()
