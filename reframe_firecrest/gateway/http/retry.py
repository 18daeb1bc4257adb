"""The retry loop, shared by requests to a gateway and to an object storage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Attempts(Protocol):
    """State of one operation over its attempts; decides after each of them."""

    def succeeded(self) -> None:
        """Record the success."""
        ...

    def pause_after(self, problem: Exception) -> float:
        """Return the seconds until the next attempt.

        Args:
            problem: the exception that ended the attempt.

        Raises:
            GatewayError: the operation has failed for good.
        """
        ...


async def retry(request: Callable[[], Awaitable[Result]], attempts: Attempts) -> Result:
    """Make a request until it succeeds; return its result.

    Args:
        request: makes one attempt.
        attempts: decides after each of them.

    Raises:
        GatewayError: the operation has failed for good.
    """
    while True:
        try:
            result = await request()
        except Exception as error:  # noqa: BLE001 - translated and raised by the decision below
            problem = error
        else:
            attempts.succeeded()
            return result
        # Outside of the handler, so that the error has no context: that may contain a presigned URL.
        await asyncio.sleep(attempts.pause_after(problem))
