"""The FirecREST v2 application: its routes, its version header and the format of its errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firecrest_sandbox import auth
from firecrest_sandbox.client_disconnect import client_closed_request
from firecrest_sandbox.errors import GatewayError, UnhandledError
from firecrest_sandbox.fault_injection import control
from firecrest_sandbox.object_storage import routes as object_storage
from firecrest_sandbox.state import ServerState
from firecrest_sandbox.v2 import compute, filesystem_reading, filesystem_writing, status
from firecrest_sandbox.v2.models import ERROR_RESPONSES
from firecrest_sandbox.v2.transfer import router as transfer
from firecrest_sandbox.versions import V2_VERSION, V2_VERSION_HEADER


def build_api() -> FastAPI:
    """Return the application; its routes need `state.server`."""
    api = FastAPI(title="FirecREST", version=V2_VERSION, lifespan=_run_runner, docs_url=None, redoc_url=None)
    filesystem = APIRouter(
        prefix="/filesystem/{system_name}",
        tags=["filesystem"],
        dependencies=[Depends(auth.authenticated)],
        responses=ERROR_RESPONSES,
    )
    filesystem.include_router(transfer.router, prefix="/transfer")
    for section in (filesystem_reading, filesystem_writing):
        filesystem.include_router(section.router, prefix="/ops")
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
    api.add_exception_handler(UnhandledError, _answer_unhandled)
    api.add_exception_handler(GatewayError, _answer_refusal)
    api.add_exception_handler(RequestValidationError, _answer_invalid)
    api.add_exception_handler(HTTPException, _answer_http)
    api.add_exception_handler(ClientDisconnect, client_closed_request)
    api.add_exception_handler(Exception, _answer_exception)
    api.add_middleware(_VersionHeader)
    return api


def unauthorized(request: Request, authority: auth.TokenAuthority) -> JSONResponse | None:
    """Return the refusal of a request without valid credentials, or None."""
    try:
        auth.user_of(request, authority)
    except GatewayError as error:
        headers = error.headers | {V2_VERSION_HEADER: V2_VERSION}
        return JSONResponse(error.body(None), error.status, headers=headers)
    return None


@asynccontextmanager
async def _run_runner(api: FastAPI) -> AsyncIterator[None]:
    server: ServerState = api.state.server
    await server.runner.start()
    try:
        yield
    finally:
        await server.tasks.stop()
        await server.runner.stop()


class _VersionHeader:
    """Add the version header to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = (V2_VERSION_HEADER.encode(), V2_VERSION.encode())
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


async def _answer_unhandled(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, UnhandledError):
        raise error
    hang_up = BackgroundTask(request.scope["state"]["transport"].close)
    return JSONResponse(error.body(None), error.status, background=hang_up)


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return _answer(request, GatewayError(error.status_code, str(error.detail)))


async def _answer_exception(request: Request, error: Exception) -> JSONResponse:
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
