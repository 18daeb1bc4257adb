"""Log the progress of long transfers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model.units import format_duration, format_size

_LOGGER = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds until the first progress message, and between two messages."""


@asynccontextmanager
async def reported(what: str) -> AsyncIterator[Progress]:
    """Log the progress of a transfer; yields the callback that the transfer has to call.

    Args:
        what: the transfer, such as "sending 3 stage directories".
    """
    begun = time.monotonic()
    transferred = total = 0

    def note(done: int, size: int) -> None:
        nonlocal transferred, total
        transferred, total = done, size

    async def report() -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            of_total = f" of {format_size(total)}" if total else ""
            _LOGGER.debug(
                "%s: %s%s after %s",
                what,
                format_size(transferred),
                of_total,
                format_duration(time.monotonic() - begun),
            )

    reporter = asyncio.get_running_loop().create_task(report())
    try:
        yield note
    finally:
        reporter.cancel()
