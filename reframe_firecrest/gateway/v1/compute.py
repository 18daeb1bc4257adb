"""FirecREST v1's jobs: asked for by their ids, many at a time, through Slurm's accounting.

The accounting is the cheap question. It tells neither working directories nor why a job is pending nor how
long it may run; Slurm's queue does, and is asked for that from time to time.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from posixpath import dirname
from typing import TypeVar

from reframe_firecrest.gateway.http import operations, slurm_messages
from reframe_firecrest.gateway.http.limits import TooMuchError
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.v1 import job_schemas, system_schemas
from reframe_firecrest.gateway.v1.client import Client, Form
from reframe_firecrest.gateway.v1.clock import SystemClock
from reframe_firecrest.gateway.v1.job_cache import JobCache
from reframe_firecrest.gateway.v1.job_mapping import part_of_accounted, part_of_queued
from reframe_firecrest.gateway.v1.job_schemas import Accounted, Queued
from reframe_firecrest.gateway.v1.paths import accepted
from reframe_firecrest.gateway.v1.schemas import parse_task_id
from reframe_firecrest.gateway.v1.tasks import Tasks
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.system import Cluster

Result = TypeVar("Result")

AT_ONCE = 250
"""Ids in one question: the gateway's own services fail at 340 (measured)."""

QUERY = 60.0
"""Seconds for a question about jobs."""

QUEUE_QUERY = 180.0
"""The same for one about the queue with the jobs' scripts: 0.12 s for each job, 5 s for each pending
array."""

SUBMISSION = 90.0
"""Seconds for a submission: as long as the gateway waits for the system at most."""

BROKEN_AT_ONCE = 3
"""Jobs in one question that may fail on their own."""

FORGET_AFTER = 300.0
"""Seconds after which such jobs are asked for together with others again."""

PASSING = (errors.TransientError, errors.OutageError, errors.AuthError, errors.ForbiddenError)
"""Errors that another form of a question would meet as well."""

_ID = re.compile(r"\d+")
_LOGGER = logging.getLogger(__name__)


class Compute:
    """The API's section ``/compute``; the methods are the gateway protocol's.

    Args:
        client: makes single requests.
        call: repeats and translates them.
        tasks: waits for what they come to.
    """

    def __init__(self, client: Client, call: RetryingClient, tasks: Tasks) -> None:
        self._client = client
        self._call = call
        self._tasks = tasks
        self._clock = SystemClock()
        self._memory = JobCache()
        self._newest: list[tuple[float, int]] = []
        self._origins: dict[str, str] = {}
        self._broken: dict[str, float] = {}

    # --- the system ---------------------------------------------------------------------------------

    async def cluster(self) -> Cluster:
        """Ask for nodes, partitions and reservations at the same time."""
        return Cluster(
            *await asyncio.gather(
                self._ask(operations.STATUS, "nodes", {}, system_schemas.parse_nodes),
                self._ask(operations.STATUS, "partitions", {}, system_schemas.parse_partitions),
                self._ask(operations.STATUS, "reservations", {}, system_schemas.parse_reservations),
            )
        )

    # --- submitting ---------------------------------------------------------------------------------

    async def submit(self, script: str, directory: str, account: str | None) -> str:
        """Submit a script that lies in the directory in which its job is to work."""
        if dirname(script) != directory:
            raise errors.RejectedError(
                f"FirecREST v1 runs a job where its script lies, so {script} can't run in {directory}"
            )
        form = {"targetPath": accepted(script), **({"account": account} if account else {})}
        submitted = await self.begin(operations.SUBMIT, "/compute/jobs/path", form)
        return submitted.job_id or ""

    async def begin(self, operation: Operation, endpoint: str, form: Form) -> job_schemas.Submitted:
        """Have the gateway submit a job; returns what came of it, with an id for certain.

        Raises:
            UncertainError: there may be a job or not.
        """
        task_id = await self._call(
            operation, lambda: self._begun(operation, self._client.post(endpoint, form))
        )
        self._origins[task_id] = form["targetPath"]
        try:
            task = await self._tasks.reach(operation, task_id, SUBMISSION)
        except errors.GatewayError as error:
            if slurm_messages.is_refused_by_sbatch(error.detail):
                raise error.as_kind(errors.RejectedError) from None
            # A job that was queued with a warning is told as a failure too.
            raise error.as_kind(errors.UncertainError) from None
        try:
            submitted = job_schemas.parse_submitted(task.data)
        except ValueError:
            submitted = job_schemas.Submitted()
        if submitted.job_id is None:
            raise errors.UncertainError(
                f"{operation.name} on {self._call.where} failed: the gateway does not tell the job's id"
            )
        self._newest.append((clock(), int(submitted.job_id)))
        return submitted

    def newest_before(self, moment: float) -> int:
        """Return the highest id of a submitted job that was known at a time, in seconds since the epoch."""
        return max((job_id for told, job_id in self._newest if told <= moment), default=0)

    def tasks_of_others(self, script: str) -> frozenset[str]:
        """Return the ids of those tasks of submissions that are known to be none of a certain script."""
        return frozenset(task_id for task_id, origin in self._origins.items() if origin != script)

    async def _begun(self, operation: Operation, request: Awaitable[object]) -> str:
        try:
            answer = await request
        except TooMuchError as error:
            raise errors.UncertainError(f"{operation.name} on {self._call.where} failed: {error}") from None
        try:
            return parse_task_id(answer)
        except (ValueError, RecursionError):
            # Accepted, but not in a way that can be read.
            raise errors.UncertainError(
                f"{operation.name} on {self._call.where} failed: no task in the answer"
            ) from None

    # --- asking -------------------------------------------------------------------------------------

    async def jobs(
        self,
        seen_since: float,  # noqa: ARG002 - the accounting knows jobs for as long as they are asked for by id
        names: Sequence[str] = (),  # noqa: ARG002
        ids: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> list[JobPart]:
        """Ask for jobs; without ids, for all of the user's that go on."""
        if not ids:
            return await self._going_on(instead)
        parts = self._parts_of(await self.accounting(ids))
        await self._ask_queue_about(parts)
        return [self._memory.added_to(part) for part in parts]

    async def job(self, job_id: str) -> list[JobPart]:
        """Ask for one job: the accounting and, if that does not know it yet, the queue."""
        parts = self._parts_of(await self.accounting([job_id]))
        if not parts:
            queued = await self._queue_of([job_id])
            parts = [part_of_queued(row) for row in queued]
        return [self._memory.added_to(part) for part in parts]

    async def directory(self, job_id: str) -> str:
        """Ask the queue for a job's directory; an empty text stands for a job that it does not know."""
        rows = await self._queue_of([job_id], scripts=True)
        return next((part_of_queued(row).working_directory for row in rows), "")

    async def cancel(self, job_id: str) -> None:
        """Cancel a job."""

        async def ask() -> None:
            task_id = await self._call(
                operations.CANCEL,
                lambda: self._begun(operations.CANCEL, self._client.delete(f"/compute/jobs/{job_id}")),
            )
            await self._tasks.reach(operations.CANCEL, task_id, QUERY)

        try:
            await self._call.multi_request(operations.CANCEL, ask)
        except errors.GatewayError as error:
            if not re.search(slurm_messages.JOB_HAS_ENDED, str(error)):
                raise

    async def accounting(self, ids: Sequence[str] = (), since: str | None = None) -> list[Accounted]:
        """Ask Slurm's accounting.

        Args:
            ids: of jobs; none stands for all of the user's.
            since: a date from which on jobs are listed, where no ids are given.
        """
        if not ids:
            return await self._account({"starttime": since} if since else {})
        # One id that is none would have the whole question refused.
        good = [job_id for job_id in dict.fromkeys(ids) if _ID.fullmatch(job_id)]
        chunks = [good[at : at + AT_ONCE] for at in range(0, len(good), AT_ONCE)]
        found = await asyncio.gather(*(self._account_for(chunk) for chunk in chunks))
        return list(itertools.chain.from_iterable(found))

    async def _account_for(self, ids: Sequence[str]) -> list[Accounted]:
        """Ask for some jobs; those whose rows break an answer are left out, so that others have theirs.

        Raises:
            GatewayError: it fails for each of them.
        """
        good = [job_id for job_id in ids if self._broken.get(job_id, 0.0) < time.monotonic()] or [*ids]
        found: list[Accounted] = []
        failed: list[str] = []
        left = [good]
        while left:
            some = left.pop()
            try:
                found += await self._account({"jobs": ",".join(some)})
            except errors.GatewayError as error:
                half = len(some) // 2
                if isinstance(error, PASSING):
                    raise
                if half:
                    left += [some[:half], some[half:]]
                    continue
                failed += some
                if len(failed) > BROKEN_AT_ONCE or len(failed) == len(good):
                    # That is no trouble of some jobs.
                    raise
        self._broken.update(dict.fromkeys(failed, time.monotonic() + FORGET_AFTER))
        return found

    async def _going_on(self, instead: Sequence[str]) -> list[JobPart]:
        """List the user's jobs that go on; where Slurm's queue can't be read, by name from the accounting."""
        try:
            return [part_of_queued(row) for row in await self.queue()]
        except errors.GatewayError as error:
            if isinstance(error, PASSING) or not instead:
                raise
            _LOGGER.warning("the queue can't be read, so the accounting is asked for jobs: %s", error)
        rows = await self.accounting()
        return [part_of_accounted(row, self._clock) for row in rows if row.is_stub or row.name in instead]

    async def _account(self, params: Form) -> list[Accounted]:
        return await self._ask(operations.LIST_JOBS, "acct", params, job_schemas.parse_accounted)

    async def queue(self) -> list[Queued]:
        """Ask Slurm's queue for all of the user's jobs, with their scripts."""
        return await self._ask(operations.LIST_JOBS, "jobs", {}, job_schemas.parse_queued, QUEUE_QUERY)

    async def _queue_of(self, ids: Sequence[str], *, scripts: bool = False) -> list[Queued]:
        """Ask Slurm's queue for some jobs, with or without their scripts, which are a command for each."""
        params = {"jobs": ",".join(ids[:AT_ONCE]), **({} if scripts else {"userJobs": "false"})}
        try:
            return await self._ask(operations.LIST_JOBS, "jobs", params, job_schemas.parse_queued)
        except errors.GatewayError as error:
            if re.search(slurm_messages.JOB_HAS_ENDED, str(error)):
                return []
            raise

    async def _ask(
        self,
        operation: Operation,
        endpoint: str,
        params: Form,
        translation: Callable[[object], Result],
        within: float | None = None,
    ) -> Result:
        async def ask() -> Result:
            task_id = await self._call(
                operation,
                lambda: self._begun(operation, self._client.get(f"/compute/{endpoint}", params)),
            )
            return translation((await self._tasks.reach(operation, task_id, within or QUERY)).data)

        return await self._call.multi_request(operation, ask)

    # --- understanding ------------------------------------------------------------------------------

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
        """Ask the queue for what the accounting does not tell, where it is time to."""
        ids = self._memory.due(parts, time.monotonic())
        if not ids:
            return
        try:
            queued = [part_of_queued(row) for row in await self._queue_of(ids)]
        except errors.GatewayError as error:
            # What the accounting tells is what matters.
            _LOGGER.info("why jobs are pending and how long they may run is not known: %s", error)
            return
        self._memory.learn(queued)
