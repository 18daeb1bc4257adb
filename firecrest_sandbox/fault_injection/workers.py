"""Services that take one request at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from firecrest_sandbox.v1.paths import serves, service_of


class SerialServices:
    """Has each of v1's services do one request after the other, as its one process with one thread does.

    Args:
        one_each: whether it does so at all.
    """

    def __init__(self, *, one_each: bool) -> None:
        self._one_each = one_each
        self._locks: dict[str, asyncio.Lock] = {}

    @contextlib.asynccontextmanager
    async def free_for(self, path: str) -> AsyncIterator[None]:
        """Wait for the worker that serves a path, and keep it busy."""
        if not (self._one_each and serves(path)):
            yield
            return
        async with self._locks.setdefault(service_of(path), asyncio.Lock()):
            yield
