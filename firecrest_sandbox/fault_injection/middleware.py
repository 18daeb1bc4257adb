"""Middleware that counts, delays and breaks requests."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

from firecrest_sandbox.fault_injection.breaking import break_request, drain, refuse
from firecrest_sandbox.fault_injection.counts import RequestCounts, shape
from firecrest_sandbox.fault_injection.faults import FaultKind, Faults
from firecrest_sandbox.fault_injection.workers import SerialServices
from firecrest_sandbox.v1.paths import serves

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from firecrest_sandbox.config import SandboxConfig

PRIVATE_PREFIX = "/__"
"""Prefix of the server's internal paths, which are not counted and get no faults."""
RATE_WINDOW = 1.0
"""Seconds in which requests count toward the rate limit."""
_API_PREFIXES = ("/status/", "/filesystem/", "/compute/")
READ_TO_ITS_END = f"{FaultKind.ENDLESS.value} (read to its end)"
"""Label in the counts for an endless body that the client read up to the rule's size."""


class CuttableProtocol(H11Protocol):
    """uvicorn's protocol, which passes the connection to requests so that a fault can drop it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it the same way
        """Pass the connection to its requests."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class FaultInjection:
    """ASGI layer between the guard and the applications."""

    def __init__(self, app: ASGIApp, *, counts: RequestCounts, faults: Faults, config: SandboxConfig) -> None:
        self._app = app
        self._counts = counts
        self._faults = faults
        self._latency = config.latency
        self._rate_limit = config.rate_limit
        self._workers = SerialServices(one_each=config.one_worker)
        self._window: deque[float] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(PRIVATE_PREFIX):
            await self._app(scope, receive, send)
            return

        label = shape(scope["method"], scope["path"])

        async def counted_receive() -> Message:
            message = await receive()
            self._counts.received(label, len(message.get("body", b"")))
            return message

        async def counted_send(message: Message) -> None:
            self._counts.sent(label, len(message.get("body", b"")))
            await send(message)

        self._counts.begin(label)
        try:
            async with self._workers.free_for(scope["path"]):
                await self._serve(scope, counted_receive, counted_send, label)
        finally:
            self._counts.end()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, label: str) -> None:
        if self._latency:
            await asyncio.sleep(self._latency)
        if self._over_rate(scope["path"]):
            self._counts.limited()
            await drain(receive)
            await refuse(scope, send, 429, "API rate limit exceeded", {"Retry-After": "1"})
            return
        rule = self._faults.match(scope["method"], scope["path"])
        if rule is None:
            await self._app(scope, receive, send)
            return
        self._counts.fault(rule.kind.value, label)
        completed = await break_request(rule, self._app, scope, receive, send)
        if rule.kind is FaultKind.ENDLESS and completed:
            self._counts.fault(READ_TO_ITS_END, label)

    def _over_rate(self, path: str) -> bool:
        if self._rate_limit is None or not (path.startswith(_API_PREFIXES) or serves(path)):
            return False
        now = time.monotonic()
        while self._window and self._window[0] <= now - RATE_WINDOW:
            self._window.popleft()
        if len(self._window) >= self._rate_limit:
            return True
        self._window.append(now)
        return False
