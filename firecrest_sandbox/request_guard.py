"""Refuse requests without credentials, for another host or from a web page, before they are served."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import PlainTextResponse, Response

from firecrest_sandbox import auth, object_storage
from firecrest_sandbox.fault_injection.counts import RequestCounts, shape
from firecrest_sandbox.fault_injection.middleware import PRIVATE_PREFIX
from firecrest_sandbox.v1.paths import serves

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_MAX_DISCARDED = 16 * 1024 * 1024
"""Bytes of a refused request that are read. Otherwise its client would see a reset connection, not the
answer."""


def allowed_hosts(url: str, more: Iterable[str] = ()) -> frozenset[str]:
    """Return the accepted values of the header `Host`.

    Args:
        url: the server's URL.
        more: other names, with the port unless it is 80.
    """
    own = urlsplit(url)
    ports = [f":{own.port}", ""] if own.port in (80, None) else [f":{own.port}"]
    names = {*LOOPBACK_NAMES, own.netloc.rpartition(":")[0]}
    return frozenset({name + port for name in names for port in ports} | {name.lower() for name in more})


class Guard:
    """The outermost ASGI layer.

    Args:
        app: serves the accepted requests.
        hosts: accepted values of `Host`. The name of a web page can resolve to this machine (DNS rebinding),
            but its requests still contain that name.
        unauthorized: returns the refusal of a request without valid credentials, or None.
        counts: counts all requests, including refused ones.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: frozenset[str],
        unauthorized: Callable[[Request], Response | None],
        counts: RequestCounts,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._unauthorized = unauthorized
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        if not scope["path"].startswith(PRIVATE_PREFIX):
            self._counts.begin(shape(scope["method"], scope["path"]))
            self._counts.end()
        await _discard(receive)
        await refusal(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        hosts = request.headers.getlist("Host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return PlainTextResponse("The header Host does not name this sandbox.\n", 403)
        if "Origin" in request.headers:
            # Browsers send this header with requests of web pages. The server has no web pages.
            return PlainTextResponse("Requests from web pages are refused.\n", 403)
        return None if _has_other_credentials(request) else self._unauthorized(request)


def _has_other_credentials(request: Request) -> bool:
    """Return whether a request has credentials other than a token, which its route checks.

    The token endpoint checks the client's secret, the object storage a signature.
    """
    path = request.scope["path"]
    if path == auth.TOKEN_PATH:
        return request.method == "POST"
    stored = path.startswith(object_storage.PREFIXES) and not serves(path)
    return stored and request.method in object_storage.METHODS


async def _discard(receive: Receive) -> None:
    left = _MAX_DISCARDED
    while left > 0 and (message := await receive())["type"] == "http.request":
        left -= len(message.get("body", b""))
        if not message.get("more_body"):
            return
