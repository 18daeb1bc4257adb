"""Break a request according to a rule."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.fault_injection.faults import FaultKind, FaultRule
from firecrest_sandbox.v1.paths import serves

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TASK_FAULTS = (FaultKind.STALL, FaultKind.STALL_AFTER, FaultKind.WARN)
_PAGE = b"<!DOCTYPE html><html><body><h1>Please log in</h1></body></html>\n"
_CHUNK = b"x" * 65_536


async def break_request(rule: FaultRule, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> bool:
    """Serve a request with a fault.

    Returns:
        False if the client disconnected during an endless body, else True.
    """
    kind = rule.kind
    if kind in (FaultKind.STATUS, FaultKind.OUTAGE):
        await drain(receive)
        await _send_status(rule, scope, send)
    elif kind is FaultKind.PORTAL:
        await drain(receive)
        await _send_all(send, 200, _PAGE, {"Content-Type": "text/html"})
    elif kind is FaultKind.HANG:
        await asyncio.sleep(rule.seconds)
        await app(scope, receive, send)
    elif kind is FaultKind.IGNORE:
        await _silence(receive)
    elif kind is FaultKind.CUT:
        await _drop(scope, receive)
    elif kind is FaultKind.ACTS_LATE:
        await _act_late(rule, app, scope, receive)
    elif kind in _TASK_FAULTS:
        # Requests without a task are not affected.
        await app({**scope, "state": {**scope["state"], "task_fault": kind}}, receive, send)
    else:
        answer = _BufferedResponse()
        await app(scope, receive, answer.send)
        return await _corrupt(rule, answer, scope, receive, send)
    return True


async def _corrupt(
    rule: FaultRule, answer: _BufferedResponse, scope: Scope, receive: Receive, send: Send
) -> bool:
    """Send a broken answer instead of the real one."""
    if rule.kind is FaultKind.STATUS_AFTER:
        await _send_status(rule, scope, send)
    elif rule.kind is FaultKind.MUTE:
        await _silence(receive)
    elif rule.kind is FaultKind.LOSE_REPLY:
        await _drop(scope, receive)
    elif rule.kind is FaultKind.TRUNCATE:
        await answer.send_beginning(send)
        # Unlike `abort`, `close` sends the data that was written.
        scope["state"]["transport"].close()
        await _silence(receive)
    elif rule.kind is FaultKind.PAGE:
        await answer.send_with(send, _PAGE if answer.body else b"")
    elif rule.kind is FaultKind.ENDLESS:
        return await answer.send_without_end(send, rule.size, scope["state"]["transport"])
    else:
        await answer.send_with(send, answer.half())
    return True


async def _act_late(rule: FaultRule, app: ASGIApp, scope: Scope, receive: Receive) -> None:
    """Drop the connection once the request is complete, and execute the request later."""
    body = await _complete_body(receive)
    await _drop(scope, receive)
    if body is None:
        return
    await asyncio.sleep(rule.seconds)
    messages = iter(({"type": "http.request", "body": body, "more_body": False},))

    async def replay() -> Message:
        return next(messages, {"type": "http.disconnect"})

    async def discard(_message: Message) -> None:
        """Send nothing: the connection no longer exists."""

    await app(scope, replay, discard)


async def _complete_body(receive: Receive) -> bytes | None:
    """Return a request's body, or None if the client disconnected before its end."""
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
    return None


class _BufferedResponse:
    """An answer that is kept instead of sent."""

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
        """Send the answer with another body and its length."""
        await self._send_start(send, len(body))
        await send({"type": "http.response.body", "body": body})

    async def send_beginning(self, send: Send) -> None:
        """Announce the complete length and send half of the body."""
        await self._send_start(send, len(self._body))
        await send({"type": "http.response.body", "body": self.half(), "more_body": bool(self._body)})

    async def send_without_end(self, send: Send, size: int, transport: asyncio.Transport) -> bool:
        """Send a body of unknown length until the client disconnects or `size` is reached.

        Status 204 becomes 200, because 204 allows no body (RFC 9110, 15.3.5).

        Returns:
            Whether the client read the body to its end.
        """
        await self._send_start(send, None)
        chunk = b'{"message": "' if self._body.startswith((b"{", b"[")) else _CHUNK
        while size > 0 and not transport.is_closing():
            await send({"type": "http.response.body", "body": chunk[:size], "more_body": True})
            size -= len(chunk)
            chunk = _CHUNK
            # Let other requests run even if `send` never waits.
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})
        return not transport.is_closing()

    async def _send_start(self, send: Send, length: int | None) -> None:
        kept = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        status = self._start["status"]
        if length is None:
            status = 200 if status == 204 else status
        else:
            kept.append((b"content-length", str(length).encode()))
        await send({**self._start, "status": status, "headers": kept})


async def drain(receive: Receive) -> None:
    """Read the request's body. Otherwise the client would see a reset connection, not the answer."""
    while (message := await receive())["type"] == "http.request":
        if not message.get("more_body"):
            return


async def _send_status(rule: FaultRule, scope: Scope, send: Send) -> None:
    if rule.text is None:
        await refuse(scope, send, rule.status, rule.message, rule.headers)
        return
    headers = {"Content-Type": "text/plain", **rule.headers}
    await _send_all(send, rule.status, rule.text.encode(), headers)


async def refuse(scope: Scope, send: Send, status: int, message: str, headers: dict[str, str]) -> None:
    """Answer with an error in the format of the request's API version."""
    v1_content = {"message": message}
    content = v1_content if serves(scope["path"]) else GatewayError(status, message).body(None)
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
    # uvicorn sends 500 if the application returns before the connection ends.
    while (await receive())["type"] != "http.disconnect":
        pass
