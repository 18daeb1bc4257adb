"""Tells how far a transfer is when it takes long."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model.units import format_size

_LOGGER = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds until a transfer is told of for the first time, and between two times."""


@asynccontextmanager
async def reported(what: str) -> AsyncIterator[Progress]:
    """Follow a transfer; gives what has to be called as it goes on.

    Args:
        what: what travels, such as "sending 3 stage directories".
    """
    begun = time.monotonic()
    so_far = in_all = 0

    def note(done: int, whole: int) -> None:
        nonlocal so_far, in_all
        so_far, in_all = done, whole

    async def report() -> None:
        while True:
            await asyncio.sleep(PATIENCE)
            whole = f" of {format_size(in_all)}" if in_all else ""
            _LOGGER.debug("%s: %s%s after %.0f s", what, format_size(so_far), whole, time.monotonic() - begun)

    reporter = asyncio.get_running_loop().create_task(report())
    try:
        yield note
    finally:
        reporter.cancel()
