"""Use a gateway outside a session: for the commands, which run no tests."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import TimeoutError as FuturesTimeoutError
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from reframe_firecrest.gateway.protocol import Gateway, WaitForJob
from reframe_firecrest.model.errors import TransientError
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.registry import make_gateway
from reframe_firecrest.session.session import MakeGateway
from reframe_firecrest.session.watcher import Watcher, wait_for
from reframe_firecrest.settings import Settings

Result = TypeVar("Result")


@asynccontextmanager
async def standalone_gateway(
    settings: Settings, open_gateway: MakeGateway = make_gateway
) -> AsyncIterator[tuple[Gateway, WaitForJob]]:
    """Open a gateway on the event loop, together with a function that waits for the end of a job.

    The gateway itself uses that function for operations that it does by a job, such as removing a large
    directory.

    Args:
        settings: connection to the system.
        open_gateway: factory of the gateway.
    """

    async def wait_for_job(job_id: str) -> Any:
        return await wait_for(watcher, job_id)

    gateway = open_gateway(settings, wait_for_job)
    # The gateway and its watcher need each other; no job is waited for before both exist.
    watcher = Watcher(gateway, settings, reactor())
    try:
        yield gateway, wait_for_job
    finally:
        await gateway.close()


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
