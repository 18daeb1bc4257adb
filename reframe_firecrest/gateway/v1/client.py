"""Single requests to FirecREST v1: forms as input, JSON as output.

pyfirecrest's client for v1 polls each task by itself, gives up after a minute, and fetches tokens with a
blocking call. So it is not used: each method here sends one request, and the caller judges the response.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import httpx

from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.http_client import file_content
from reframe_firecrest.gateway.http.limits import Limits, limited, usual

Form = Mapping[str, str]

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
"""Seconds without progress. Each service answers one request at a time, so a request may wait for others."""


class Client:
    """Make requests about one system.

    Args:
        connection: to the gateway.

    Attributes:
        limits: of responses, unless others are set.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.limits = usual(connection.settings)
        self._system = {"X-Machine-Name": connection.settings.system}

    async def get(self, endpoint: str, params: Form | None = None) -> Any:
        """GET an endpoint; return the decoded answer."""
        return (await self._send("GET", endpoint, params=params)).json()

    async def find(self, endpoint: str) -> Any:
        """GET an endpoint; return the decoded answer, None for status 404."""
        try:
            return await self.get(endpoint)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 404:
                return None
            raise

    async def get_fresh(self, endpoint: str) -> tuple[Any, httpx.Headers]:
        """GET an answer, bypassing the gateway's cache of 16 minutes; return it with its headers."""
        response = await self._send("GET", endpoint, headers={"Cache-Control": "no-cache"})
        return response.json(), response.headers

    async def get_bytes(self, endpoint: str, params: Form, limits: Limits | None = None) -> bytes:
        """GET a file, with its own limits if any are given."""
        with limited(limits):
            return file_content(await self._send("GET", endpoint, params=params))

    async def post(self, endpoint: str, form: Form) -> Any:
        """POST a form; return the decoded answer."""
        return (await self._send("POST", endpoint, data=form)).json()

    async def put(self, endpoint: str, form: Form) -> Any:
        """PUT a form; return the decoded answer."""
        return (await self._send("PUT", endpoint, data=form)).json()

    async def post_file(self, endpoint: str, form: Form, name: str, content: bytes) -> None:
        """POST a form with a file; an answer that cannot be decoded does not come from the gateway."""
        # See the client of v2: a file that is closed frees its memory at once.
        with io.BytesIO(content) as file:
            (await self._send("POST", endpoint, data=form, files={"file": (name, file)})).json()

    async def delete(self, endpoint: str, form: Form | None = None) -> Any:
        """DELETE, with a form; return the decoded answer, None for an empty one."""
        response = await self._send("DELETE", endpoint, data=form)
        return response.json() if response.content else None

    async def _send(
        self, method: str, endpoint: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        connection = self._connection
        credentials = await connection.authorization.auth_headers()
        response = await connection.http.request(
            method,
            connection.url + endpoint,
            headers={**self._system, **credentials, **(headers or {})},
            timeout=TIMEOUT,
            **options,
        )
        response.raise_for_status()
        return response
