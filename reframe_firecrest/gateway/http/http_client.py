"""HTTP, counted, with nothing secret in the logs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from reframe_firecrest.gateway.http.bodies import Sent, check_json, receive
from reframe_firecrest.gateway.http.limits import HEAD, Limits, Pace, StalledError, current


class _WithoutQueries(logging.Filter):
    """Takes the queries out of the URLs that httpx logs: those of presigned URLs are secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                value.copy_with(query=None) if isinstance(value, httpx.URL) else value
                for value in record.args
            )
        return True


class _WithoutHeads(logging.Filter):
    """Takes the heads of answers out of what httpcore logs: a cookie in them stands for a session."""

    def filter(self, record: logging.LogRecord) -> bool:
        # httpcore makes the whole text itself. Of requests it shows the method only.
        event, _, _ = str(record.msg).partition(" return_value=")
        if event == "receive_response_headers.complete":
            record.msg = event
        return True


logging.getLogger("httpx").addFilter(_WithoutQueries())
for _name in ("http11", "http2"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_WithoutHeads())


class HtmlPageError(ValueError):
    """A web page where there should be a file: something has come in between."""


def file_content(response: httpx.Response) -> bytes:
    """Return the file that an answer carries, which FirecREST sends as ``application/octet-stream``.

    Source: the recordings ``download_small`` and ``simple_download`` of real gateways.

    Raises:
        PageError: it is a page.
    """
    if is_html(response):
        raise HtmlPageError("a web page")
    return bytes(response.content)


def is_html(response: httpx.Response) -> bool:
    """Tell whether an answer is a web page, such as a proxy's or a portal's."""
    kind: str = response.headers.get("Content-Type", "")
    return kind.startswith("text/html")


@dataclass
class TrafficCounter:
    """What went over the wire, counted for the user's summary and for the benchmark."""

    requests: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    in_flight: int = 0
    most_in_flight: int = 0


class CountingClient(httpx.AsyncClient):
    """HTTP with a count and with limits for every request, wherever it comes from.

    They are here and not in a transport, since a transport of one's own makes httpx ignore ``HTTPS_PROXY``.

    Args:
        traffic: takes the counts.
        limits: of each exchange, unless others are set for it.
        kwargs: those of httpx's client.
    """

    def __init__(self, traffic: TrafficCounter, limits: Limits | None = None, **kwargs: Any) -> None:
        # A proxy can't reach what listens on this machine only.
        local = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
        # Other compressions could not be undone piece by piece.
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
            answer = await self._head_of(request, **kwargs)
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

    async def _head_of(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """Send a request; return the answer, with its body still to come."""
        with anyio.move_on_after(HEAD) as scope:
            if isinstance(request.stream, httpx.AsyncByteStream):
                request.stream = Sent(request.stream, Pace(current(self._limits).rate), scope)
            return await super().send(request, stream=True, **kwargs)
        raise StalledError("no answer, or only the beginning of one", request=request)

    def _received(self, size: int) -> None:
        self._traffic.bytes_received += size


async def _read(response: httpx.Response) -> None:
    await response.aread()
    # Whatever is in a file, nothing reads it as JSON.
    if not response.headers.get("Content-Type", "").startswith("application/octet-stream"):
        check_json(response.content)


def _length(request: httpx.Request) -> int:
    return int(request.headers.get("content-length", 0))
