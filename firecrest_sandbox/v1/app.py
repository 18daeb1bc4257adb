"""The FirecREST v1 application: its services, the format of its errors, and limits on requests."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from firecrest_sandbox.auth import TokenAuthority
from firecrest_sandbox.client_disconnect import client_closed_request
from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.fault_injection.breaking import drain
from firecrest_sandbox.state import server_of
from firecrest_sandbox.v1 import access, compute, internal, status, storage, tasks, utilities
from firecrest_sandbox.v1.errors import RefusedError, operation_refused
from firecrest_sandbox.v1.paths import service_of
from firecrest_sandbox.versions import V1_VERSION

_SERVICES = ("status", "utilities", "compute", "storage", "tasks")
_MAX_REQUEST_LINE = 4094
_SIZE_LIMITED = {
    "utilities": "Failed to upload file. The file is over {size} bytes",
    "compute": "Failed to upload batch script. The file is over {megabytes:g} MB",
}


def build_api() -> FastAPI:
    """Return the application; its routes need `state.server`."""
    api = FastAPI(
        title="FirecREST", version=V1_VERSION, redirect_slashes=False, docs_url=None, redoc_url=None
    )
    for router in (
        status.router,
        status.reservations_router,
        utilities.router,
        compute.router,
        storage.router,
        internal.router,
        tasks.router,
    ):
        api.include_router(router)
    api.add_exception_handler(RefusedError, _answer_refusal)
    api.add_exception_handler(GatewayError, _answer_operation)
    api.add_exception_handler(HTTPException, _answer_http)
    api.add_exception_handler(ClientDisconnect, client_closed_request)
    api.add_exception_handler(Exception, _answer_exception)
    api.add_middleware(_RequestLimits)
    return api


def unauthorized(request: Request, authority: TokenAuthority) -> JSONResponse | None:
    """Return the refusal of a request without valid credentials, or None."""
    try:
        access.user_of(request, authority)
    except RefusedError as error:
        return JSONResponse(error.body, error.status, headers=error.headers)
    return None


async def _answer_refusal(request: Request, error: Exception) -> Response:  # noqa: ARG001  FastAPI's signature
    if not isinstance(error, RefusedError):
        raise error
    return JSONResponse(error.body, error.status, headers=error.headers)


async def _answer_operation(request: Request, error: Exception) -> Response:
    if not isinstance(error, GatewayError):
        raise error
    return await _answer_refusal(request, operation_refused(error, utilities.description_of(request)))


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404 and service_of(request.url.path) in _SERVICES:
        return HTMLResponse("<!doctype html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n", 404)
    # The proxy answers requests without a route.
    return JSONResponse({"message": "Invalid"}, 400)


async def _answer_exception(request: Request, error: Exception) -> Response:  # noqa: ARG001  FastAPI's signature
    return JSONResponse({"description": f"{error.args}"}, 500)


class _RequestLimits:
    """Limits of v1's HTTP servers on the request line, and on the body of uploads."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(Request(scope)) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        await drain(receive)
        await refusal(scope, receive, send)


def _refusal(request: Request) -> Response | None:
    service = service_of(request.url.path)
    # The proxy removes the service's name.
    target = request.url.path.removeprefix(f"/{service}") or "/"
    query = f"?{request.url.query}" if request.url.query else ""
    line = len(f"{request.method} {target}{query} HTTP/1.1")
    if line > _MAX_REQUEST_LINE:
        text = f"Request Line is too large ({line} &gt; {_MAX_REQUEST_LINE})"
        return HTMLResponse(f"<html><title>Bad Request</title><body>{text}</body></html>", 400)
    limit = server_of(request).config.max_ops_file_size
    if service in _SIZE_LIMITED and int(request.headers.get("Content-Length", "0")) > limit:
        text = _SIZE_LIMITED[service].format(size=limit, megabytes=limit / 1024**2)
        return JSONResponse({"description": text}, 413)
    return None
