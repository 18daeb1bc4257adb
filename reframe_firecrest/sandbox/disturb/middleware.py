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
from reframe_firecrest.sandbox.disturb.workers import Workers
from reframe_firecrest.sandbox.errors import GatewayError
from reframe_firecrest.sandbox.v1.paths import serves

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PRIVATE_PREFIX = "/__"
"""Paths below it belong to the sandbox itself and are neither counted nor disturbed."""
_API_PREFIXES = ("/status/", "/filesystem/", "/compute/")
_OF_TASKS = (FaultKind.STALL, FaultKind.STALL_AFTER, FaultKind.WARN)
_PAGE = b"<!DOCTYPE html><html><body><h1>Please log in</h1></body></html>\n"


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
        one_worker: bool,
    ) -> None:
        self._app = app
        self._counts = counts
        self._faults = faults
        self._latency = latency
        self._rate_limit = rate_limit
        self._workers = Workers(one_each=one_worker)
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
            await _answer(scope, send, 429, "API rate limit exceeded", {"Retry-After": "1"})
            return
        rule = self._faults.hitting(scope["method"], scope["path"])
        if rule is None:
            await self._app(scope, receive, send)
            return
        self._counts.fault(rule.kind.value, label)
        await self._break(rule, scope, receive, send)

    def _over_rate(self, path: str) -> bool:
        if self._rate_limit is None or not (path.startswith(_API_PREFIXES) or serves(path)):
            return False
        now = time.monotonic()
        while self._window and self._window[0] <= now - 1:
            self._window.popleft()
        if len(self._window) >= self._rate_limit:
            return True
        self._window.append(now)
        return False

    async def _break(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        kind = rule.kind
        if kind in (FaultKind.STATUS, FaultKind.OUTAGE):
            await drain(receive)
            await _answer(scope, send, rule.status, "Injected fault.", rule.headers)
        elif kind is FaultKind.PORTAL:
            await drain(receive)
            await _send_all(send, 200, _PAGE, {"Content-Type": "text/html"})
        elif kind is FaultKind.HANG:
            await asyncio.sleep(rule.seconds)
            await self._app(scope, receive, send)
        elif kind is FaultKind.IGNORE:
            await _silence(receive)
        elif kind is FaultKind.CUT:
            await _drop(scope, receive)
        elif kind in _OF_TASKS:
            # What has no task is served as ever.
            await self._app({**scope, "state": {**scope["state"], "trouble": kind}}, receive, send)
        else:
            answer = _Held()
            await self._app(scope, receive, answer.send)
            await _spoil(rule, answer, scope, receive, send)


async def _spoil(rule: FaultRule, answer: _Held, scope: Scope, receive: Receive, send: Send) -> None:
    """Give another answer than the one that a request has earned."""
    if rule.kind is FaultKind.STATUS_AFTER:
        await _answer(scope, send, rule.status, "Injected fault.", rule.headers)
    elif rule.kind is FaultKind.MUTE:
        await _silence(receive)
    elif rule.kind is FaultKind.LOSE_REPLY:
        await _drop(scope, receive)
    elif rule.kind is FaultKind.TRUNCATE:
        await answer.send_beginning(send)
        # Unlike an abort this lets what was written go out.
        scope["state"]["transport"].close()
        await _silence(receive)
    elif rule.kind is FaultKind.PAGE:
        await answer.send_with(send, _PAGE if answer.body else b"")
    else:
        await answer.send_with(send, answer.half())


class _Held:
    """Keeps an answer back instead of sending it."""

    def __init__(self) -> None:
        self._start: dict[str, Any] = {}
        self._body = bytearray()

    @property
    def body(self) -> bytes:
        return bytes(self._body)

    def half(self) -> bytes:
        return self.body[: max(1, len(self._body) // 2)]

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = dict(message)
        else:
            self._body += message.get("body", b"")

    async def send_with(self, send: Send, body: bytes) -> None:
        """Send it with another body, as if that were all there is."""
        await self._send_start(send, len(body))
        await send({"type": "http.response.body", "body": body})

    async def send_beginning(self, send: Send) -> None:
        """Promise the whole answer and send half of it."""
        await self._send_start(send, len(self._body))
        await send({"type": "http.response.body", "body": self.half(), "more_body": bool(self._body)})

    async def _send_start(self, send: Send, length: int) -> None:
        kept = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        headers = [*kept, (b"content-length", str(length).encode())]
        await send({**self._start, "headers": headers})


async def drain(receive: Receive) -> None:
    """Read what the client sends: it would see a reset connection instead of the answer otherwise."""
    while (message := await receive())["type"] == "http.request":
        if not message.get("more_body"):
            return


async def _answer(scope: Scope, send: Send, status: int, message: str, headers: dict[str, str]) -> None:
    of_v1 = {"message": message}
    content = of_v1 if serves(scope["path"]) else GatewayError(status, message).body(None)
    body = json.dumps(content).encode()
    await _send_all(send, status, body, {"Content-Type": "application/json", **headers})


async def _send_all(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    all_headers = {**headers, "Content-Length": str(len(body))}
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
    await _silence(receive)


async def _silence(receive: Receive) -> None:
    # uvicorn answers 500 for an application that returns before it has seen the connection end.
    while (await receive())["type"] != "http.disconnect":
        pass
