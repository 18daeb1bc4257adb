"""Requests to an object storage: retried, and a few at a time.

The gateway returns presigned URLs, with which files are transferred to and from the site's S3 storage
without passing through the gateway.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from reframe_firecrest.gateway.http import error_translation
from reframe_firecrest.gateway.http.limits import Advance, Limits
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.outage_log import OutageLog
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.http.retry import retry
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model import errors

Result = TypeVar("Result")

PARALLEL = 4
"""Parts that are transferred at a time, for all files together."""

CHUNK = 1 << 20
"""Bytes of each part that are in memory."""

REPEATS = 4
"""Consecutive uncertain failures of a request that are retried; an unreachable storage is retried longer."""

TIMEOUT = httpx.Timeout(60.0, connect=10.0, read=120.0)
"""Seconds without progress; a storage takes long to complete an upload."""

INTERCEPTED = "answers with a web page; check for a proxy between it and this machine"
"""Message for a storage in whose place something else answers."""


@dataclass
class _StorageState:
    """State that all requests to one storage share.

    Attributes:
        rate: bytes a second that count as progress.
        answered: the storage has answered at least once.
    """

    where: str
    rate: int
    retry_policy: RetryPolicy
    outage_log: OutageLog
    answered: bool = False


class _StorageAttempts:
    """State of one request to a storage over its attempts; progress resets it.

    Args:
        storage: the state that all requests share.
        operation: the purpose of the request.
        position: returns the bytes transferred so far.
    """

    def __init__(self, storage: _StorageState, operation: Operation, position: Callable[[], int]) -> None:
        self._storage = storage
        self._operation = operation
        self._position = position
        self._advance = Advance(storage.rate, position())
        self._reached = position()
        self._number = self._broken = 0
        self._failing_since = 0.0

    def succeeded(self) -> None:
        """Record the success, or enough progress."""
        self._storage.answered = True
        self._storage.outage_log.succeeded(self._operation)

    def pause_after(self, problem: Exception) -> float:
        """Return the seconds until the next attempt; see `retry.Attempts`."""
        storage = self._storage
        error = error_translation.translate_error(self._operation, problem, storage.where)
        self._note_progress()
        storage.outage_log.failed(self._operation, error)
        storage.answered = storage.answered or error.status is not None
        self._number += 1
        self._broken += isinstance(error, errors.UncertainError)
        now = time.monotonic()
        if self._number == 1:
            self._failing_since = now
        pause = storage.retry_policy.pause_before(self._number, error.retry_after)
        is_final = isinstance(error, errors.FinalError) or self._broken > REPEATS
        if is_final or now + pause - self._failing_since > self._time_limit():
            raise error
        return pause

    def _note_progress(self) -> None:
        before, self._reached = self._reached, self._position()
        if self._reached > before and self._advance.counts(self._reached):
            self._number = self._broken = 0
            self.succeeded()

    def _time_limit(self) -> float:
        retry_policy = self._storage.retry_policy
        return retry_policy.outage if self._storage.answered else retry_policy.first_contact


class StorageClient:
    """Client of object storages.

    Args:
        http: makes the requests; it must not add the gateway's credentials.
        retry_policy: for how long failures are retried.
        where: the gateway and system, as the user knows them.
        limits: of responses, unless others are set.

    Attributes:
        http, where, limits: as above.
        slots: one for each part that is transferred at a time.
    """

    def __init__(
        self, http: httpx.AsyncClient, retry_policy: RetryPolicy, where: str, limits: Limits
    ) -> None:
        self.http = http
        self.limits = limits
        self.where = where
        self.slots = asyncio.Semaphore(PARALLEL)
        outage_log = OutageLog(where, retry_policy.outage)
        self._storage = _StorageState(where, limits.rate, retry_policy, outage_log)

    def not_s3(self, operation: Operation, what: str) -> errors.ProtocolError:
        """Return the error for a server that does not behave like an S3 storage."""
        return errors.ProtocolError(f"{operation.name} on {self.where} failed: the S3 storage {what}")

    async def repeat(
        self,
        operation: Operation,
        ask: Callable[[], Awaitable[Result]],
        position: Callable[[], int] = lambda: 0,
    ) -> Result:
        """Make a request, with retries.

        Args:
            operation: the purpose of the request.
            ask: makes it.
            position: returns the bytes transferred so far; enough progress resets the count of failures.

        Raises:
            GatewayError: it has failed for good, or for longer than the retry timeout.
        """
        return await retry(ask, _StorageAttempts(self._storage, operation, position))


@dataclass
class Span:
    """A range of a file.

    Attributes:
        at: position of the next byte to transfer.
        end: position after the last byte.
        begin: position of the first byte.
    """

    at: int
    end: int
    begin: int = field(init=False)

    def __post_init__(self) -> None:
        self.begin = self.at


class ProgressMeter:
    """Counts the bytes of a transfer for a progress callback."""

    def __init__(self, progress: Progress | None, total: int = 0) -> None:
        self.total = total
        self._done = 0
        self._progress = progress

    def add(self, size: int) -> None:
        """Add bytes; negative for those that have to be transferred again."""
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self.total)
