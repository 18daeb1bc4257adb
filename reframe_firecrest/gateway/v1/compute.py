"""FirecREST v1's jobs: queried by their ids, many at a time, through Slurm's accounting.

A query of the accounting is cheap, but lacks working directories, the reasons of pending jobs and time
limits. Slurm's queue has those, and is queried less often.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Sequence
from posixpath import dirname

from reframe_firecrest.gateway.http import operations, slurm_messages
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.v1 import job_queries, job_schemas, system_schemas
from reframe_firecrest.gateway.v1.client import Client, Form
from reframe_firecrest.gateway.v1.clock import SystemClock
from reframe_firecrest.gateway.v1.job_cache import JobCache
from reframe_firecrest.gateway.v1.job_mapping import part_of_accounted, part_of_queued
from reframe_firecrest.gateway.v1.job_queries import PASSING, JobQueries
from reframe_firecrest.gateway.v1.job_schemas import Accounted
from reframe_firecrest.gateway.v1.paths import accepted
from reframe_firecrest.gateway.v1.tasks import Tasks
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.system import Cluster

SUBMISSION = 90.0
"""Seconds for a submission: the most that the gateway waits for the system."""

_LOGGER = logging.getLogger(__name__)


class Compute:
    """The API's section ``/compute``; its methods are those of the gateway protocol.

    Args:
        client: makes single requests.
        call: retries them and translates their errors.
        tasks: waits for their results.

    Attributes:
        queries: to Slurm's accounting and queue.
    """

    def __init__(self, client: Client, call: RetryingClient, tasks: Tasks) -> None:
        self._client = client
        self._call = call
        self._tasks = tasks
        self.queries = JobQueries(client, call, tasks)
        self._clock = SystemClock()
        self._memory = JobCache()
        self._newest: list[tuple[float, int]] = []
        self._origins: dict[str, str] = {}

    # --- the system ---------------------------------------------------------------------------------

    async def cluster(self) -> Cluster:
        """Query nodes, partitions and reservations concurrently."""
        return Cluster(
            *await asyncio.gather(
                self.queries.ask(operations.STATUS, "nodes", {}, system_schemas.parse_nodes),
                self.queries.ask(operations.STATUS, "partitions", {}, system_schemas.parse_partitions),
                self.queries.ask(operations.STATUS, "reservations", {}, system_schemas.parse_reservations),
            )
        )

    # --- submitting ---------------------------------------------------------------------------------

    async def submit(self, script: str, directory: str, account: str | None) -> str:
        """Submit a script, which must be in its job's working directory."""
        if dirname(script) != directory:
            raise errors.RejectedError(
                f"FirecREST v1 runs a job in the directory of its script, so {script} can't run in "
                f"{directory}"
            )
        form = {"targetPath": accepted(script), **({"account": account} if account else {})}
        submitted = await self.begin(operations.SUBMIT, "/compute/jobs/path", form)
        return submitted.job_id or ""

    async def begin(self, operation: Operation, endpoint: str, form: Form) -> job_schemas.Submitted:
        """Submit a job; return the result, which has an id.

        Raises:
            UncertainError: the job may or may not have been queued.
        """
        task_id = await self._call(
            operation, lambda: self.queries.task_id(operation, self._client.post(endpoint, form))
        )
        self._origins[task_id] = form["targetPath"]
        try:
            task = await self._tasks.reach(operation, task_id, SUBMISSION)
        except errors.GatewayError as error:
            if slurm_messages.is_refused_by_sbatch(error.detail):
                raise error.as_kind(errors.RejectedError) from None
            # The gateway reports a failure even if the job was queued, with a warning.
            raise error.as_kind(errors.UncertainError) from None
        try:
            submitted = job_schemas.parse_submitted(task.data)
        except ValueError:
            submitted = job_schemas.Submitted()
        if submitted.job_id is None:
            raise errors.UncertainError(
                f"{operation.name} on {self._call.where} failed: the answer has no job id"
            )
        self._newest.append((clock(), int(submitted.job_id)))
        return submitted

    def newest_before(self, moment: float) -> int:
        """Return the highest id of the jobs submitted before a time, in seconds since the epoch."""
        return max((job_id for known, job_id in self._newest if known <= moment), default=0)

    def tasks_of_others(self, script: str) -> frozenset[str]:
        """Return the ids of the tasks that submitted other scripts."""
        return frozenset(task_id for task_id, origin in self._origins.items() if origin != script)

    # --- queries ------------------------------------------------------------------------------------

    async def jobs(
        self,
        seen_since: float,  # noqa: ARG002 - the accounting knows all jobs that are queried by id
        names: Sequence[str] = (),  # noqa: ARG002
        ids: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> list[JobPart]:
        """Query jobs; without ids, all of the user's that have not ended."""
        if not ids:
            return await self._active(instead)
        parts = self._parts_of(await self.queries.accounting(ids))
        await self._ask_queue_about(parts)
        return [self._memory.added_to(part) for part in parts]

    async def job(self, job_id: str) -> list[JobPart]:
        """Query one job in the accounting and, if it is not there yet, in the queue."""
        parts = self._parts_of(await self.queries.accounting([job_id]))
        if not parts:
            queued = await self.queries.queue_of([job_id])
            parts = [part_of_queued(row) for row in queued]
        return [self._memory.added_to(part) for part in parts]

    async def directory(self, job_id: str) -> str:
        """Return a job's directory from the queue; empty if the queue does not have the job."""
        rows = await self.queries.queue_of([job_id], scripts=True)
        return next((part_of_queued(row).working_directory for row in rows), "")

    async def cancel(self, job_id: str) -> None:
        """Cancel a job."""

        async def ask() -> None:
            endpoint = f"/compute/jobs/{job_id}"
            task_id = await self._call(
                operations.CANCEL,
                lambda: self.queries.task_id(operations.CANCEL, self._client.delete(endpoint)),
            )
            await self._tasks.reach(operations.CANCEL, task_id, job_queries.QUERY)

        try:
            await self._call.multi_request(operations.CANCEL, ask)
        except errors.GatewayError as error:
            if not re.search(slurm_messages.JOB_HAS_ENDED, str(error)):
                raise

    async def _active(self, instead: Sequence[str]) -> list[JobPart]:
        """List the user's active jobs; if Slurm's queue cannot be read, by name from the accounting."""
        try:
            return [part_of_queued(row) for row in await self.queries.queue()]
        except errors.GatewayError as error:
            if isinstance(error, PASSING) or not instead:
                raise
            _LOGGER.warning("the queue can't be read, so Slurm's accounting is queried: %s", error)
        rows = await self.queries.accounting()
        return [part_of_accounted(row, self._clock) for row in rows if row.is_stub or row.name in instead]

    # --- translation --------------------------------------------------------------------------------

    def _parts_of(self, rows: Iterable[Accounted]) -> list[JobPart]:
        now = clock()
        known = [row for row in rows if not row.is_stub]
        for row in known:
            if row.state.startswith("RUNNING") and row.start is not None and row.elapsed is not None:
                self._clock.show(row.start + row.elapsed, now)
            elif row.end is not None:
                self._clock.past(row.end, now)
        parts = [part_of_accounted(row, self._clock) for row in known]
        return [part for part in parts if self._memory.is_the_same(part)]

    async def _ask_queue_about(self, parts: Iterable[JobPart]) -> None:
        """Query the queue for the fields that the accounting lacks, for jobs that are due."""
        ids = self._memory.due(parts, time.monotonic())
        if not ids:
            return
        try:
            queued = [part_of_queued(row) for row in await self.queries.queue_of(ids)]
        except errors.GatewayError as error:
            # The fields of the accounting are the essential ones.
            _LOGGER.debug("why jobs are pending and how long they may run is not known: %s", error)
            return
        self._memory.learn(queued)
