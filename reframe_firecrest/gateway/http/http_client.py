"""HTTP client that counts and limits its traffic, and keeps secrets out of the logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from reframe_firecrest.gateway.http.bodies import Sent, check_json, receive
from reframe_firecrest.gateway.http.limits import HEAD, Limits, Pace, StalledError, current


class _WithoutQueries(logging.Filter):
    """Removes the queries from URLs that httpx logs, since those of presigned URLs are secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                value.copy_with(query=None) if isinstance(value, httpx.URL) else value
                for value in record.args
            )
        return True


class _WithoutHeads(logging.Filter):
    """Removes the headers of answers from what httpcore logs, since they may contain a session cookie."""

    def filter(self, record: logging.LogRecord) -> bool:
        # httpcore formats the text itself. Of requests it logs the method only.
        event, _, _ = str(record.msg).partition(" return_value=")
        if event == "receive_response_headers.complete":
            record.msg = event
        return True


logging.getLogger("httpx").addFilter(_WithoutQueries())
for _name in ("http11", "http2"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_WithoutHeads())


class HtmlPageError(ValueError):
    """A web page instead of a file, from a proxy or a portal."""


def file_content(response: httpx.Response) -> bytes:
    """Return the file in an answer, which FirecREST sends as ``application/octet-stream``.

    Source: the recordings ``download_small`` and ``simple_download`` of real gateways.

    Raises:
        HtmlPageError: it is a web page.
    """
    if is_html(response):
        raise HtmlPageError("a web page")
    return bytes(response.content)


def is_html(response: httpx.Response) -> bool:
    """Report whether an answer is a web page, such as that of a proxy or a portal."""
    kind: str = response.headers.get("Content-Type", "")
    return kind.startswith("text/html")


@dataclass
class TrafficCounter:
    """Counts of requests and bytes, for the user's summary and the benchmark."""

    requests: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    in_flight: int = 0
    most_in_flight: int = 0


class CountingClient(httpx.AsyncClient):
    """HTTP client that counts and limits every request.

    This is not done in a transport, since with a custom transport httpx ignores ``HTTPS_PROXY``.

    Args:
        traffic: receives the counts.
        limits: of each request, unless others are set for it.
        kwargs: those of `httpx.AsyncClient`.
    """

    def __init__(self, traffic: TrafficCounter, limits: Limits | None = None, **kwargs: Any) -> None:
        # A proxy cannot reach servers on this machine's loopback interface.
        local = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
        # Other compressions could not be decompressed piece by piece.
        super().__init__(mounts=local, headers={"Accept-Encoding": "gzip"}, **kwargs)
        self._traffic = traffic
        self._limits = limits or Limits()

    async def send(self, request: httpx.Request, *, stream: bool = False, **kwargs: Any) -> httpx.Response:
        """Send one request."""
        traffic = self._traffic
        traffic.requests += 1
        traffic.bytes_sent += _length(request)
        traffic.in_flight += 1
        traffic.most_in_flight = max(traffic.most_in_flight, traffic.in_flight)
        try:
            with _head_limited(request, self._limits):
                answer = await super().send(request, stream=True, **kwargs)
            try:
                response = receive(answer, self._limits, self._received)
                if not stream:
                    await _read(response)
            except BaseException:
                await answer.aclose()
                raise
            return response
        finally:
            traffic.in_flight -= 1

    def _received(self, size: int) -> None:
        self._traffic.bytes_received += size


@contextmanager
def _head_limited(request: httpx.Request, limits: Limits) -> Iterator[None]:
    """Limit the time until the headers of an answer, and the rate at which a body is sent.

    Raises:
        StalledError: no answer has begun in time.
    """
    with anyio.move_on_after(HEAD) as scope:
        if isinstance(request.stream, httpx.AsyncByteStream):
            request.stream = Sent(request.stream, Pace(current(limits).rate), scope)
        yield
    if scope.cancelled_caught:
        raise StalledError("no answer, or an incomplete one", request=request)


async def _read(response: httpx.Response) -> None:
    await response.aread()
    # Files are never parsed as JSON.
    if not response.headers.get("Content-Type", "").startswith("application/octet-stream"):
        check_json(response.content)


def _length(request: httpx.Request) -> int:
    return int(request.headers.get("content-length", 0))
