"""pyfirecrest's asynchronous client with the calls that it has no public method for.

pyfirecrest's own `extract`, `compress` and `download` ask more than once, or fall back to a transfer job
whose id they keep to themselves. Here each call is one request, and what comes back is the caller's to
judge.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import firecrest.v2
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


class Client(firecrest.v2.AsyncFirecrest):
    """One request per call."""

    def __init__(self, url: str, authorization: object, http: httpx.AsyncClient) -> None:
        # verify=False spares the parent's own, never used session the loading of certificates.
        super().__init__(url, authorization=authorization, verify=False)
        self._session = http
        self.num_retries_rate_limit = 0
        # Its log lines name presigned URLs, which are secrets.
        self.disable_client_logging = True

    async def get_json(self, endpoint: str, params: Mapping[str, object] | None = None) -> Any:
        """GET an endpoint; return the decoded answer."""
        response = await self._get_request(endpoint=endpoint, params=params)
        return self._check_response(response, 200)

    async def get_with_head(self, endpoint: str) -> tuple[Any, httpx.Headers]:
        """GET an endpoint; return the decoded answer and its headers."""
        response = await self._get_request(endpoint=endpoint)
        return self._check_response(response, 200), response.headers

    async def post_json(self, endpoint: str, body: Mapping[str, object], expected: int) -> Any:
        """POST a JSON body; return the decoded answer, an empty one for status 204."""
        response = await self._post_request(endpoint=endpoint, json_data=body)
        return self._check_response(response, expected)

    async def delete(self, endpoint: str, params: Mapping[str, object] | None, expected: int) -> Any:
        """DELETE; return the decoded answer, an empty one for status 204."""
        response = await self._delete_request(endpoint=endpoint, params=params)
        return self._check_response(response, expected)

    async def upload_direct(self, system: str, content: bytes, directory: str, name: str) -> None:
        """Put a small file into a directory."""
        response = await self._post_request(
            endpoint=f"/filesystem/{system}/ops/upload",
            params={"path": directory},
            files={"file": (name, content)},
        )
        self._check_response(response, 204)

    async def download_direct(self, system: str, path: str) -> bytes:
        """Fetch a small file."""
        response = await self._get_request(
            endpoint=f"/filesystem/{system}/ops/download", params={"path": path}
        )
        self._check_response(response, 200, return_json=False)
        return bytes(response.content)
