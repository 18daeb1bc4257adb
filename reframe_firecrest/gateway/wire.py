"""HTTP, counted, with nothing secret in the logs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import httpx


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


class PageError(ValueError):
    """A web page where there should be a file: something has come in between."""


def file_in(response: httpx.Response) -> bytes:
    """Return the file that an answer carries, which FirecREST sends as ``application/octet-stream``.

    Source: the recordings ``download_small`` and ``simple_download`` of real gateways.

    Raises:
        PageError: it is a page.
    """
    if is_page(response):
        raise PageError("a web page")
    return bytes(response.content)


def is_page(response: httpx.Response) -> bool:
    """Tell whether an answer is a web page, such as a proxy's or a portal's."""
    kind: str = response.headers.get("Content-Type", "")
    return kind.startswith("text/html")


@dataclass
class Wire:
    """What went over the wire, counted for the user's summary and for the benchmark."""

    requests: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    in_flight: int = 0
    most_in_flight: int = 0


class CountingClient(httpx.AsyncClient):
    """HTTP with a count of every request, wherever it comes from.

    It counts here and not in a transport, since a transport of one's own makes httpx ignore ``HTTPS_PROXY``.
    """

    def __init__(self, wire: Wire, **kwargs: Any) -> None:
        # A proxy can't reach what listens on this machine only.
        local = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
        super().__init__(mounts=local, **kwargs)
        self._wire = wire

    async def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """Send one request."""
        wire = self._wire
        wire.requests += 1
        wire.bytes_sent += int(request.headers.get("content-length", 0))
        wire.in_flight += 1
        wire.most_in_flight = max(wire.most_in_flight, wire.in_flight)
        try:
            response = await super().send(request, **kwargs)
        finally:
            wire.in_flight -= 1
        wire.bytes_received += int(response.headers.get("content-length", 0))
        return response
