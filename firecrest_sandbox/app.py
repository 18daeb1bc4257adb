"""The complete ASGI application: guard, fault injection, and the two API versions."""

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from firecrest_sandbox.auth import TOKEN_PATH
from firecrest_sandbox.fault_injection.middleware import PRIVATE_PREFIX, FaultInjection
from firecrest_sandbox.object_storage import PUBLIC_PREFIX
from firecrest_sandbox.request_guard import Guard, allowed_hosts
from firecrest_sandbox.state import ServerState
from firecrest_sandbox.v1 import app as v1_app
from firecrest_sandbox.v1.paths import serves
from firecrest_sandbox.v2 import app as v2_app

_UNVERSIONED_PATHS = (TOKEN_PATH, PUBLIC_PREFIX + "/", PRIVATE_PREFIX)
"""The token endpoint, the object storage, and the server's own routes."""


def build_app(server: ServerState) -> ASGIApp:
    """Return the application that serves requests with this state."""
    config = server.config
    v2_api, v1_api = v2_app.build_api(), v1_app.build_api()
    for api in (v2_api, v1_api):
        api.state.server = server
    versions = _VersionRouter(v2_api, v1_api, v1=config.api != "v2", v2=config.api != "v1")
    faulty = FaultInjection(versions, counts=server.counts, faults=server.faults, config=config)

    def unauthorized(request: Request) -> JSONResponse | None:
        check = v1_app.unauthorized if versions.is_for_v1(request.scope) else v2_app.unauthorized
        return check(request, server.authority)

    hosts = allowed_hosts(server.url, config.allowed_hosts)
    return Guard(faulty, hosts=hosts, unauthorized=unauthorized, counts=server.counts)


class _VersionRouter:
    """Pass each request to the API version that has its path."""

    def __init__(self, v2_api: ASGIApp, v1_api: ASGIApp, *, v1: bool, v2: bool) -> None:
        self._v2_api = v2_api
        self._v1_api = v1_api
        self._v1 = v1
        self._v2 = v2

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._v1_api if self.is_for_v1(scope) else self._v2_api
        await app(scope, receive, send)

    def is_for_v1(self, scope: Scope) -> bool:
        """Return whether v1 answers a request."""
        if scope["type"] != "http" or not self._v1:
            return False
        path = scope["path"]
        return serves(path) or not (self._v2 or path.startswith(_UNVERSIONED_PATHS))
