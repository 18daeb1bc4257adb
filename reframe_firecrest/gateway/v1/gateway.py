"""Implementation of the gateway protocol for FirecREST v1, from the sections of its API."""

from __future__ import annotations

from collections.abc import Sequence

from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.v1.client import Client
from reframe_firecrest.gateway.v1.compute import Compute
from reframe_firecrest.gateway.v1.error_mapping import V1
from reframe_firecrest.gateway.v1.filesystem import Filesystem
from reframe_firecrest.gateway.v1.status import Status
from reframe_firecrest.gateway.v1.submission_search import SubmissionSearch
from reframe_firecrest.gateway.v1.system_schemas import Parameters
from reframe_firecrest.gateway.v1.tasks import Tasks
from reframe_firecrest.gateway.v1.transfers import Transfers
from reframe_firecrest.model.capabilities import Capabilities, TransferMethod
from reframe_firecrest.model.gateway_status import GatewayStatus
from reframe_firecrest.model.job_follower import JobFollower
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.system import AccountInfo, Cluster, SystemInfo


class GatewayV1(Filesystem):
    """One system behind one FirecREST v1 gateway.

    Args:
        connection: to the gateway.
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
        """Query the gateway's version, systems and health."""
        return await self._status.status()

    async def reach(self, url: str) -> int:
        """Send one request to a storage; see the protocol."""
        return await self._connection.objects.reach(url)

    def follow_jobs_with(self, follower: JobFollower) -> None:
        """Set the follower that waits for transfer jobs."""
        self._transfers.jobs.follower = follower

    def charge_transfers_to(self, account: str) -> None:
        """Charge transfer jobs to an account; see the protocol."""
        self._transfers.jobs.account = self._transfers.jobs.account or account

    async def connect(self) -> SystemInfo:
        """Query the gateway's version and limits; it does not report Slurm's version."""
        parameters = await self._status.parameters()
        self.limit(parameters.max_direct, parameters.longest_command)
        self._transfers.max_size = parameters.max_stored
        return SystemInfo(self._connection.settings.system, self._capabilities(parameters))

    def _capabilities(self, parameters: Parameters) -> Capabilities:
        """Return what the gateway can do; it moves large files between storage and system by itself."""
        storage = parameters.object_storage or TransferMethod.S3.value
        return Capabilities(
            transfer=TransferMethod.S3 if storage.startswith("s3") else TransferMethod.NONE,
            reported_transfer=storage,
            max_direct_upload=self.max_upload,
            max_direct_download=self.max_download,
            max_stored_file=parameters.max_stored,
            command_timeout=parameters.longest_command,
            selects_files=False,
        )

    async def cluster(self) -> Cluster:
        """Query nodes, partitions and reservations."""
        return await self._compute.cluster()

    async def accounts(self) -> list[AccountInfo]:
        """Return no accounts: FirecREST v1 does not report them."""
        return []

    # --- jobs ---------------------------------------------------------------------------------------

    async def submit(self, script: str, directory: str, account: str | None) -> str:
        """Submit a script, which must be in its job's directory."""
        return await self._compute.submit(script, directory, account)

    async def jobs(
        self,
        seen_since: float,
        names: Sequence[str] = (),
        ids: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> list[JobPart]:
        """Query jobs by their ids; without ids, all of the user's that have not ended."""
        return await self._compute.jobs(seen_since, names, ids, instead)

    def names_per_list(self, names: Sequence[str]) -> int:
        """Return the number of names: jobs are queried by their ids, all at once."""
        return len(names)

    async def find(self, script: str, directory: str, name: str, since: float) -> list[str] | None:  # noqa: ARG002
        """Find jobs by their script."""
        return await self._search.find(script, name, since)

    async def job(self, job_id: str) -> list[JobPart]:
        """Query one job."""
        return await self._compute.job(job_id)

    async def script(self, job_id: str) -> str:  # noqa: ARG002
        """Return no script: FirecREST v1 reports none. Our transfer jobs have their paths in their names."""
        return ""

    async def directory(self, job_id: str) -> str:
        """Return the directory of an active job's script, which is its working directory."""
        return await self._compute.directory(job_id)

    async def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        await self._compute.cancel(job_id)

    # --- the end ------------------------------------------------------------------------------------

    def unsettled(self) -> float:
        """Return how long requests may act late; no transfer of this version's leaves a job that waits."""
        return self._call.unsettled()

    async def close(self) -> None:
        """Stop waiting for tasks, and close all connections."""
        await self._tasks.close()
        await self._connection.close()

    def stats(self) -> dict[str, int]:
        """Count the requests, the bytes sent and received, and the most requests in flight."""
        return self._connection.stats()
