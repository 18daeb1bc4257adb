"""Use a gateway outside a session: for the commands, which run no tests."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import TimeoutError as FuturesTimeoutError
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from reframe_firecrest.gateway.protocol import Gateway, GatewayConnection
from reframe_firecrest.model.errors import TransientError
from reframe_firecrest.model.job_follower import JobFollower
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.registry import connect
from reframe_firecrest.session.session import Connect
from reframe_firecrest.session.watcher import Watcher
from reframe_firecrest.settings import Settings

Result = TypeVar("Result")


def _watch_jobs(gateway: Gateway, settings: Settings) -> JobFollower:
    return Watcher(gateway, settings, reactor())


class StandaloneConnection:
    """A connection to a gateway, and a follower of the gateway's jobs.

    The gateway needs the follower for what it does by a job, such as removing a large directory.

    Args:
        settings: the gateway's address, the credentials and the system.
        connection: the connection; no request has been sent yet.
        make_follower: makes the follower.

    Attributes:
        gateway: the gateway, after `open_gateway`.
        follower: the follower, after `open_gateway`.
    """

    gateway: Gateway
    follower: JobFollower

    def __init__(
        self,
        settings: Settings,
        connection: GatewayConnection,
        make_follower: Callable[[Gateway, Settings], JobFollower] = _watch_jobs,
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._make_follower = make_follower
        self._opened = False

    async def authenticate(self) -> float | None:
        """Get a token; return the seconds for which it is valid, None if it does not expire."""
        return await self._connection.authenticate()

    async def open_gateway(self) -> Gateway:
        """Open the gateway, which may take a request for its version.

        Raises:
            GatewayError: that request failed.
        """
        self.gateway = await self._connection.open_gateway()
        self._opened = True
        self.follower = self._make_follower(self.gateway, self._settings)
        self.gateway.follow_jobs_with(self.follower)
        return self.gateway

    async def close(self) -> None:
        """Close the gateway, or the connection if the gateway was never opened."""
        await (self.gateway if self._opened else self._connection).close()


@asynccontextmanager
async def standalone_connection(
    settings: Settings, connect: Connect = connect
) -> AsyncIterator[StandaloneConnection]:
    """Make a connection on the event loop, and close it at the end.

    Args:
        settings: the gateway's address, the credentials and the system.
        connect: makes the connection to the gateway.
    """
    connection = StandaloneConnection(settings, connect(settings))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def standalone_gateway(settings: Settings, connect: Connect = connect) -> AsyncIterator[Gateway]:
    """Open a gateway on the event loop, and close it at the end.

    Args:
        settings: the gateway's address, the credentials and the system.
        connect: makes the connection to the gateway.

    Raises:
        GatewayError: the gateway did not report its version.
    """
    async with standalone_connection(settings, connect) as connection:
        yield await connection.open_gateway()


def run_on_loop(
    work: Coroutine[Any, Any, Result], timeout: float = threading.TIMEOUT_MAX, on_timeout: str = "timed out"
) -> Result:
    """Run a coroutine on the loop's thread and return its result.

    A loop on the main thread would leave unfinished tasks behind when Ctrl-C interrupts it.

    Args:
        work: the coroutine.
        timeout: seconds until it is given up.
        on_timeout: message of the error that is raised then.

    Raises:
        TransientError: it has timed out.
    """
    try:
        return reactor().run(work, timeout)
    except FuturesTimeoutError:
        raise TransientError(on_timeout) from None
