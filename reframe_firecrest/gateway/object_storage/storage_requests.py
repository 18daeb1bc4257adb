"""Requests to an object store, repeated where they break, a few at a time.

The gateway hands out presigned URLs; with them, data goes to and comes from the site's S3 storage without
passing the gateway.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from reframe_firecrest.gateway.http import error_translation
from reframe_firecrest.gateway.http.limits import Advance, Limits
from reframe_firecrest.gateway.http.outage_log import OutageLog
from reframe_firecrest.gateway.http.policy import Operation, RetryPolicy
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model import errors

Result = TypeVar("Result")

PARALLEL = 4
"""Parts under way at a time, whatever the number of files."""

CHUNK = 1 << 20
"""Bytes of each of them that are held in memory."""

REPEATS = 4
"""Times that a request may break in a row before it has failed; a store out of reach is waited for."""

TIMEOUT = httpx.Timeout(60.0, connect=10.0, read=120.0)
"""Seconds without any progress; a store takes its time to put parts together."""

INTERCEPTED = "answers with a web page; is a proxy between it and here?"
"""What a storage seems to do where something else answers in its place."""


class StorageClient:
    """The way to object stores.

    Args:
        http: makes the requests; it must add no credentials of the gateway's.
        retry_policy: how long failures are ridden out.
        where: the gateway and system, as the user knows them.
        limits: the usual ones.

    Attributes:
        http, where, limits: as above.
        slots: one of them is taken by each part that is under way.
    """

    def __init__(
        self, http: httpx.AsyncClient, retry_policy: RetryPolicy, where: str, limits: Limits
    ) -> None:
        self.http = http
        self.limits = limits
        self._retry_policy = retry_policy
        self.where = where
        self.slots = asyncio.Semaphore(PARALLEL)
        self._outage_log = OutageLog(where, retry_policy.outage)
        self._answered = False

    def not_s3(self, operation: Operation, what: str) -> errors.ProtocolError:
        """Say that what answers is no S3 storage."""
        return errors.ProtocolError(f"{operation.name} on {self.where} failed: the S3 storage {what}")

    async def repeat(
        self,
        operation: Operation,
        ask: Callable[[], Awaitable[Result]],
        position: Callable[[], int] = lambda: 0,
    ) -> Result:
        """Make a request, again if need be.

        Args:
            operation: what for.
            ask: makes it.
            position: how far it has come; as long as that grows fast enough, failures do not add up.

        Raises:
            GatewayError: it failed for good, or for longer than patience lasts.
        """
        attempt = broken = 0
        advance = Advance(self.limits.rate, position())
        reached, since = position(), 0.0
        while True:
            try:
                result = await ask()
            except Exception as problem:  # noqa: BLE001 - translated and raised or repeated below
                error = error_translation.translate_error(operation, problem, self.where)
            else:
                self._answered = True
                self._outage_log.succeeded(operation)
                return result
            before, reached = reached, position()
            if reached > before and advance.counts(reached):
                attempt = broken = 0
                self._answered = True
                self._outage_log.succeeded(operation)
            self._outage_log.failed(operation, error)
            self._answered = self._answered or error.status is not None
            attempt += 1
            broken += isinstance(error, errors.UncertainError)
            since = time.monotonic() if attempt == 1 else since
            limit = self._retry_policy.outage if self._answered else self._retry_policy.first_contact
            pause = self._retry_policy.pause_before(attempt, error.retry_after)
            if (
                isinstance(error, errors.FinalError)
                or broken > REPEATS
                or time.monotonic() + pause - since > limit
            ):
                raise error
            await asyncio.sleep(pause)


@dataclass
class Span:
    """A range of a file.

    Attributes:
        at: how far it has come.
        end: behind the last byte.
        begin: where it began.
    """

    at: int
    end: int
    begin: int = field(init=False)

    def __post_init__(self) -> None:
        self.begin = self.at


class ProgressMeter:
    """Counts the bytes of a transfer for whoever wants to know."""

    def __init__(self, progress: Progress | None, total: int = 0) -> None:
        self.total = total
        self._done = 0
        self._progress = progress

    def add(self, size: int) -> None:
        """Count more bytes, or fewer, for those that have to go again."""
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self.total)


async def run_concurrently(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Do things at the same time; when one fails, the others are given up before it is raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
