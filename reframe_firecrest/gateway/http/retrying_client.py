"""Requests to one gateway: throttled, limited in time, authorized and retried."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import anyio

from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.error_mapping import ErrorMapping
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.request_attempts import GatewayState, RequestAttempts
from reframe_firecrest.gateway.http.retry import retry
from reframe_firecrest.model import errors
from reframe_firecrest.model.units import format_duration

Result = TypeVar("Result")


class RetryingClient:
    """Make requests to one gateway.

    Args:
        gateway: the state that all requests to it share.
        error_mapping: of the API version in use.

    Attributes:
        where: the gateway and system, as the user knows them.
        api: the user's name of the API version.
    """

    def __init__(self, gateway: GatewayState, error_mapping: ErrorMapping) -> None:
        self.where = gateway.where
        self.api = error_mapping.api
        self._gateway = gateway
        self._error_mapping = error_mapping
        gateway.throttle.bound(error_mapping.at_first, error_mapping.inside)

    def __call__(
        self, operation: Operation, request: Callable[[], Awaitable[Result]]
    ) -> Coroutine[Any, Any, Result]:
        """Make a request, retried as the policy allows; return its result.

        Raises:
            GatewayError: the request has failed for good, or for longer than the retry timeout.
        """
        attempts = RequestAttempts(self._gateway, self._error_mapping, operation, single=True)
        return retry(partial(self._request, operation, request, attempts), attempts)

    def unsettled(self) -> float:
        """Return the seconds for which a failed attempt may still create a directory."""
        return self._gateway.unsettled()

    def multi_request(
        self, operation: Operation, requests: Callable[[], Awaitable[Result]]
    ) -> Coroutine[Any, Any, Result]:
        """Perform an operation of several requests, each of them made through this client; return its result.

        The operation occupies no slot of the throttle, and each of its requests has its own timeout.

        Raises:
            GatewayError: it has failed for good, or for longer than the retry timeout.
        """
        return retry(requests, RequestAttempts(self._gateway, self._error_mapping, operation, single=False))

    async def _request(
        self, operation: Operation, request: Callable[[], Awaitable[Result]], attempts: RequestAttempts
    ) -> Result:
        gateway = self._gateway
        attempts.current = operations.TOKEN
        async with gateway.throttle.slot(urgent=operation is operations.CANCEL):
            # Before the timeout begins: an error here leaves no doubt about the operation.
            await gateway.authorization.auth_headers()
            gateway.outage_log.succeeded(operations.TOKEN)
            attempts.current, sent_at = operation, time.monotonic()
            try:
                # Before Python 3.12, asyncio.wait_for forgets a cancellation that comes with the answer.
                with anyio.fail_after(operation.timeout):
                    result = await request()
            except TimeoutError:
                raise errors.UncertainError(
                    f"{operation.name} on {self.where} failed: no answer within "
                    f"{format_duration(operation.timeout)}"
                ) from None
            gateway.throttle.answered(time.monotonic() - sent_at)
            return result
