"""Puts the rooms together: one application, one way to answer errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firecrest_sandbox import auth, object_storage
from firecrest_sandbox.client_disconnect import client_closed_request
from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.fault_injection import control
from firecrest_sandbox.fault_injection.middleware import PRIVATE_PREFIX, FaultInjection
from firecrest_sandbox.gateway import Gateway
from firecrest_sandbox.request_guard import Guard, allowed_hosts
from firecrest_sandbox.v1.app import build_api as build_v1_api
from firecrest_sandbox.v1.app import unauthorized as v1_refusal
from firecrest_sandbox.v1.paths import serves
from firecrest_sandbox.v2 import compute, filesystem_reading, filesystem_writing, status
from firecrest_sandbox.v2.models import ERROR_RESPONSES
from firecrest_sandbox.v2.transfer import router as transfer

VERSION_HEADER = "f7t-appversion"
APP_VERSION = "2.6.0"
"""Version of FirecREST that is imitated; clients parse it.

The imitated gateway (35e1d08, after 2.5.6) filters job lists by name and time window, and pyfirecrest 3.10
sends these filters only to 2.6.0 and later.
"""

_UNVERSIONED_PATHS = (auth.TOKEN_PATH, object_storage.PUBLIC_PREFIX + "/", PRIVATE_PREFIX)
"""The identity provider, the object storage, and what is the sandbox's own."""


def build_app(gateway: Gateway) -> ASGIApp:
    """Return the application that serves this gateway."""
    config = gateway.config
    api, v1_api = build_api(), build_v1_api()
    for one in (api, v1_api):
        one.state.gateway = gateway
    generations = _VersionRouter(api, v1_api, v1=config.api != "v2", v2=config.api != "v1")
    disturbed = FaultInjection(
        generations,
        counts=gateway.counts,
        faults=gateway.faults,
        latency=config.latency,
        rate_limit=config.rate_limit,
        one_worker=config.one_worker,
    )

    def unauthorized(request: Request) -> JSONResponse | None:
        refused = v1_refusal if generations.is_for_v1(request.scope) else _unauthorized
        return refused(request, gateway.authority)

    hosts = allowed_hosts(gateway.url, config.allowed_hosts)
    return Guard(disturbed, hosts=hosts, unauthorized=unauthorized, counts=gateway.counts)


def _unauthorized(request: Request, authority: auth.TokenAuthority) -> JSONResponse | None:
    try:
        auth.user_of(request, authority)
    except GatewayError as error:
        headers = error.headers | {VERSION_HEADER: APP_VERSION}
        return JSONResponse(error.body(None), error.status, headers=headers)
    return None


class _VersionRouter:
    """Sends each request to the generation of the API whose path it has."""

    def __init__(self, v2_api: ASGIApp, v1_api: ASGIApp, *, v1: bool, v2: bool) -> None:
        self._v2_api = v2_api
        self._v1_api = v1_api
        self._v1 = v1
        self._v2 = v2

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._v1_api if self.is_for_v1(scope) else self._v2_api
        await app(scope, receive, send)

    def is_for_v1(self, scope: Scope) -> bool:
        """Return whether FirecREST v1 answers a request."""
        if scope["type"] != "http" or not self._v1:
            return False
        path = scope["path"]
        return serves(path) or not (self._v2 or path.startswith(_UNVERSIONED_PATHS))


def build_api() -> FastAPI:
    """Return the routes; they work once `state.gateway` is set."""
    api = FastAPI(
        title="FirecREST", version=APP_VERSION, lifespan=_run_the_runner, docs_url=None, redoc_url=None
    )
    filesystem = APIRouter(
        prefix="/filesystem/{system_name}",
        tags=["filesystem"],
        dependencies=[Depends(auth.authenticated)],
        responses=ERROR_RESPONSES,
    )
    filesystem.include_router(transfer.router, prefix="/transfer")
    for room in (filesystem_reading, filesystem_writing):
        filesystem.include_router(room.router, prefix="/ops")
    for router in (
        status.liveness_router,
        status.router,
        compute.router,
        filesystem,
        auth.router,
        object_storage.router,
        control.router,
    ):
        api.include_router(router)
    api.add_exception_handler(GatewayError, _answer_refusal)
    api.add_exception_handler(RequestValidationError, _answer_invalid)
    api.add_exception_handler(HTTPException, _answer_http)
    api.add_exception_handler(ClientDisconnect, client_closed_request)
    api.add_exception_handler(Exception, _answer_bug)
    api.add_middleware(_VersionHeader)
    return api


@asynccontextmanager
async def _run_the_runner(api: FastAPI) -> AsyncIterator[None]:
    gateway: Gateway = api.state.gateway
    await gateway.runner.start()
    try:
        yield
    finally:
        await gateway.tasks.stop()
        await gateway.runner.stop()


class _VersionHeader:
    """Names the application's version in every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = (VERSION_HEADER.encode(), APP_VERSION.encode())
                message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        await self._app(scope, receive, send_with_version if scope["type"] == "http" else send)


def _user(request: Request) -> str | None:
    user: str | None = getattr(request.state, "user", None)
    return user


def _answer(request: Request, error: GatewayError) -> JSONResponse:
    user = _user(request)
    headers = error.headers | ({"f7t-authusername": user} if user else {})
    return JSONResponse(error.body(user), error.status, headers=headers)


async def _answer_refusal(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, GatewayError):
        raise error
    return _answer(request, error)


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return _answer(request, GatewayError(error.status_code, str(error.detail)))


async def _answer_bug(request: Request, error: Exception) -> JSONResponse:
    return _answer(request, GatewayError(500, f"{error.args}"))


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = error.errors()
    user = _user(request)
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''}"
    body = {
        "errorType": "validation",
        "message": f"{count}: " + "; ".join(str(problem["msg"]) for problem in problems),
        "causedBy": None,
        "data": {
            "fields": [
                {
                    "location": str(problem["loc"][0]),
                    "name": str(problem["loc"][1]) if len(problem["loc"]) > 1 else None,
                    "message": problem["msg"],
                }
                for problem in problems
            ]
        },
        "user": user,
    }
    return JSONResponse(body, 400, headers={"f7t-authusername": user} if user else None)
