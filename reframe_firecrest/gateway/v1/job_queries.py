"""Queries about FirecREST v1's jobs: to Slurm's accounting and to its queue.

Each query is a task of the gateway: one request begins it, others ask for its result.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from reframe_firecrest.gateway.http import operations, slurm_messages
from reframe_firecrest.gateway.http.limits import TooMuchError
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.v1 import job_schemas
from reframe_firecrest.gateway.v1.client import Client, Form
from reframe_firecrest.gateway.v1.job_schemas import Accounted, Queued
from reframe_firecrest.gateway.v1.schemas import parse_task_id
from reframe_firecrest.gateway.v1.tasks import Tasks
from reframe_firecrest.model import errors

Result = TypeVar("Result")

AT_ONCE = 250
"""Ids in one query; the gateway's own services fail at 340 (measured)."""

QUERY = 60.0
"""Seconds for a query about jobs."""

QUEUE_QUERY = 180.0
"""Seconds for a query of the queue with the scripts: 0.12 s for each job, 5 s for each pending array."""

BROKEN_AT_ONCE = 3
"""Jobs of one query that may fail by themselves."""

FORGET_AFTER = 300.0
"""Seconds after which such jobs are queried together with others again."""

PASSING = (errors.TransientError, errors.OutageError, errors.AuthError, errors.ForbiddenError)
"""Errors that another form of a query would have as well."""

_ID = re.compile(r"\d+")


class JobQueries:
    """Queries to Slurm through the gateway's tasks.

    Args:
        client: makes single requests.
        call: retries them and translates their errors.
        tasks: waits for the results.
    """

    def __init__(self, client: Client, call: RetryingClient, tasks: Tasks) -> None:
        self._client = client
        self._call = call
        self._tasks = tasks
        self._broken: dict[str, float] = {}

    async def accounting(self, ids: Sequence[str] = (), since: str | None = None) -> list[Accounted]:
        """Query Slurm's accounting.

        Args:
            ids: of jobs; empty for all of the user's.
            since: date from which jobs are listed, if no ids are given.
        """
        if not ids:
            return await self._account({"starttime": since} if since else {})
        # One invalid id would make the gateway refuse the whole query.
        good = [job_id for job_id in dict.fromkeys(ids) if _ID.fullmatch(job_id)]
        chunks = [good[at : at + AT_ONCE] for at in range(0, len(good), AT_ONCE)]
        found = await asyncio.gather(*(self._account_for(chunk) for chunk in chunks))
        return list(itertools.chain.from_iterable(found))

    async def _account_for(self, ids: Sequence[str]) -> list[Accounted]:
        """Query some jobs; leave out those whose rows make an answer invalid.

        Raises:
            GatewayError: the query fails for each of them.
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
                    # The cause is not a few of the jobs.
                    raise
        self._broken.update(dict.fromkeys(failed, time.monotonic() + FORGET_AFTER))
        return found

    async def _account(self, params: Form) -> list[Accounted]:
        return await self.ask(operations.LIST_JOBS, "acct", params, job_schemas.parse_accounted)

    async def queue(self) -> list[Queued]:
        """Query Slurm's queue for all of the user's jobs, with their scripts."""
        return await self.ask(operations.LIST_JOBS, "jobs", {}, job_schemas.parse_queued, QUEUE_QUERY)

    async def queue_of(self, ids: Sequence[str], *, scripts: bool = False) -> list[Queued]:
        """Query Slurm's queue for some jobs; a script takes the gateway a command for each job."""
        params = {"jobs": ",".join(ids[:AT_ONCE]), **({} if scripts else {"userJobs": "false"})}
        try:
            return await self.ask(operations.LIST_JOBS, "jobs", params, job_schemas.parse_queued)
        except errors.GatewayError as error:
            if re.search(slurm_messages.JOB_HAS_ENDED, str(error)):
                return []
            raise

    async def ask(
        self,
        operation: Operation,
        endpoint: str,
        params: Form,
        translation: Callable[[object], Result],
        within: float | None = None,
    ) -> Result:
        """Query an endpoint of ``/compute``; return the translated result.

        Args:
            operation: the purpose of the query.
            endpoint: below ``/compute``.
            params: of the query.
            translation: converts the data of the task.
            within: seconds for the task.
        """

        async def ask() -> Result:
            task_id = await self._call(
                operation,
                lambda: self.task_id(operation, self._client.get(f"/compute/{endpoint}", params)),
            )
            return translation((await self._tasks.reach(operation, task_id, within or QUERY)).data)

        return await self._call.multi_request(operation, ask)

    async def task_id(self, operation: Operation, request: Awaitable[object]) -> str:
        """Return the id of the task that a request begins.

        Raises:
            UncertainError: the request was accepted, but the answer is unusable.
        """
        try:
            answer = await request
        except TooMuchError as error:
            raise errors.UncertainError(f"{operation.name} on {self._call.where} failed: {error}") from None
        try:
            return parse_task_id(answer)
        except (ValueError, RecursionError):
            raise errors.UncertainError(
                f"{operation.name} on {self._call.where} failed: no task in the answer"
            ) from None
