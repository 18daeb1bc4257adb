"""Services that handle one request at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from firecrest_sandbox.v1.paths import serves, service_of


class SerialServices:
    """Serialise the requests to each of v1's services, which run in one process with one thread.

    Args:
        one_each: False disables the serialisation.
    """

    def __init__(self, *, one_each: bool) -> None:
        self._one_each = one_each
        self._locks: dict[str, asyncio.Lock] = {}

    @contextlib.asynccontextmanager
    async def free_for(self, path: str) -> AsyncIterator[None]:
        """Wait for the worker that serves a path, and occupy it."""
        if not (self._one_each and serves(path)):
            yield
            return
        async with self._locks.setdefault(service_of(path), asyncio.Lock()):
            yield
