"""Stands before every request: counts it, holds it up, and breaks it when told to."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from reframe_firecrest.sandbox.disturb.counts import Counts, shape
from reframe_firecrest.sandbox.disturb.faults import FaultKind, FaultRule, Faults
from reframe_firecrest.sandbox.errors import GatewayError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PRIVATE_PREFIX = "/__"
"""Paths below it belong to the sandbox itself and are neither counted nor disturbed."""
_API_PREFIXES = ("/status/", "/filesystem/", "/compute/")


class CuttableProtocol(H11Protocol):
    """uvicorn's protocol, which lets a request reach its own connection to drop it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it the same way
        """Hand the connection to the requests that arrive on it."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Disturbance:
    """The outermost ASGI layer."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        counts: Counts,
        faults: Faults,
        latency: float,
        rate_limit: float | None,
    ) -> None:
        self._app = app
        self._counts = counts
        self._faults = faults
        self._latency = latency
        self._rate_limit = rate_limit
        self._window: deque[float] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(PRIVATE_PREFIX):
            await self._app(scope, receive, send)
            return

        async def counted_receive() -> Message:
            message = await receive()
            self._counts.received(len(message.get("body", b"")))
            return message

        async def counted_send(message: Message) -> None:
            self._counts.sent(len(message.get("body", b"")))
            await send(message)

        label = shape(scope["method"], scope["path"])
        self._counts.begin(label)
        try:
            await self._serve(scope, counted_receive, counted_send, label)
        finally:
            self._counts.end()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, label: str) -> None:
        if self._latency:
            await asyncio.sleep(self._latency)
        if self._over_rate(scope["path"]):
            self._counts.limited()
            await _answer(receive, send, 429, "API rate limit exceeded", {"Retry-After": "1"})
            return
        rule = self._faults.hitting(scope["method"], scope["path"])
        if rule is None:
            await self._app(scope, receive, send)
            return
        self._counts.fault(rule.kind.value, label)
        await self._break(rule, scope, receive, send)

    def _over_rate(self, path: str) -> bool:
        if self._rate_limit is None or not path.startswith(_API_PREFIXES):
            return False
        now = time.monotonic()
        while self._window and self._window[0] <= now - 1:
            self._window.popleft()
        if len(self._window) >= self._rate_limit:
            return True
        self._window.append(now)
        return False

    async def _break(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        if rule.kind in (FaultKind.STATUS, FaultKind.OUTAGE):
            await _answer(receive, send, rule.status, "Injected fault.", rule.headers)
        elif rule.kind is FaultKind.HANG:
            await asyncio.sleep(rule.seconds)
            await self._app(scope, receive, send)
        elif rule.kind is FaultKind.CUT:
            await _drop(scope, receive)
        else:
            answer = _Held()
            await self._app(scope, receive, answer.send)
            if rule.kind is FaultKind.LOSE_REPLY:
                await _drop(scope, receive)
            else:
                await answer.send_garbled(send)


class _Held:
    """Keeps an answer back instead of sending it."""

    def __init__(self) -> None:
        self._start: dict[str, Any] = {}
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = dict(message)
        else:
            self._body += message.get("body", b"")

    async def send_garbled(self, send: Send) -> None:
        body = bytes(self._body[: max(1, len(self._body) // 2)])
        kept = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        headers = [*kept, (b"content-length", str(len(body)).encode())]
        await send({**self._start, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _drain(receive: Receive) -> None:
    while (message := await receive())["type"] == "http.request":
        if not message.get("more_body"):
            return


async def _answer(receive: Receive, send: Send, status: int, message: str, headers: dict[str, str]) -> None:
    # A client that is still sending would see a reset connection instead of the answer.
    await _drain(receive)
    body = json.dumps(GatewayError(status, message).body(None)).encode()
    all_headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(k.lower().encode(), v.encode()) for k, v in all_headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _drop(scope: Scope, receive: Receive) -> None:
    scope["state"]["transport"].abort()
    # uvicorn answers 500 for an application that returns before it has seen the connection end.
    while (await receive())["type"] != "http.disconnect":
        pass
