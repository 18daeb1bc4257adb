"""pyfirecrest's asynchronous client, with the requests that it has no public method for.

pyfirecrest's own `extract`, `compress` and `download` send several requests, or fall back to a transfer job
whose id they do not return. Here each method sends one request, and the caller judges the response.

This is the only module that uses private members of pyfirecrest; `PRIVATE` lists them, and a test checks
that they exist. pyfirecrest builds the URLs, the authorization and tracing headers, and raises the errors.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import firecrest.v2
import httpx

from reframe_firecrest.gateway.http.http_client import file_content
from reframe_firecrest.gateway.http.limits import Limits, limited

PRIVATE = {
    "_get_request": ("endpoint", "params"),
    "_post_request": ("endpoint", "params", "files", "json_data"),
    "_delete_request": ("endpoint", "params"),
    "_check_response": ("response", "expected_status_code", "return_json"),
}
"""The private methods of pyfirecrest that `Client` calls, each with the parameters that it passes."""

ATTRIBUTES = ("_session", "num_retries_rate_limit", "disable_client_logging", "timeout")
"""The attributes of pyfirecrest's client that are set here."""


class Client(firecrest.v2.AsyncFirecrest):
    """One request per call."""

    def __init__(self, url: str, authorization: object, http: httpx.AsyncClient) -> None:
        # The parent makes a session that is never used; verify=False avoids loading certificates for it.
        super().__init__(url, authorization=authorization, verify=False)
        self._session = http
        self.num_retries_rate_limit = 0
        # Its log records contain presigned URLs, which are secrets.
        self.disable_client_logging = True

    async def get_json(self, endpoint: str, params: Mapping[str, object] | None = None) -> Any:
        """GET an endpoint; return the decoded answer."""
        response = await self._get_request(endpoint=endpoint, params=params)
        return self._check_response(response, 200)

    async def get_with_headers(self, endpoint: str) -> tuple[Any, httpx.Headers]:
        """GET an endpoint; return the decoded answer and its headers."""
        response = await self._get_request(endpoint=endpoint)
        return self._check_response(response, 200), response.headers

    async def post_json(self, endpoint: str, body: Mapping[str, object], expected: int) -> Any:
        """POST a JSON body; return the decoded answer, an empty one for status 204."""
        response = await self._post_request(endpoint=endpoint, json_data=body)
        return self._check_response(response, expected)

    async def put_json(self, endpoint: str, body: Mapping[str, object], expected: int) -> Any:
        """PUT a JSON body; return the decoded answer."""
        response = await self._put_request(endpoint=endpoint, json_data=body)
        return self._check_response(response, expected)

    async def delete(self, endpoint: str, params: Mapping[str, object] | None, expected: int) -> Any:
        """DELETE; return the decoded answer, an empty one for status 204."""
        response = await self._delete_request(endpoint=endpoint, params=params)
        return self._check_response(response, expected)

    async def upload_direct(self, system: str, content: bytes, directory: str, name: str) -> None:
        """Put a small file into a directory."""
        # httpx's request and response refer to each other, so the body stays in memory until the next garbage
        # collection. A file that is closed frees it at once.
        with io.BytesIO(content) as file:
            response = await self._post_request(
                endpoint=f"/filesystem/{system}/ops/upload",
                params={"path": directory},
                files={"file": (name, file)},
            )
        self._check_response(response, 204)

    async def download_direct(self, system: str, path: str, limits: Limits | None = None) -> bytes:
        """Fetch a small file, with its own limits if any are given."""
        with limited(limits):
            response = await self._get_request(
                endpoint=f"/filesystem/{system}/ops/download", params={"path": path}
            )
        self._check_response(response, 200, return_json=False)
        return file_content(response)
