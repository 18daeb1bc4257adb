"""Nothing is served without credentials, by another name of the host, or to a web page."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import ValidationError

from firecrest_sandbox import FaultRule, SandboxConfig
from firecrest_sandbox.auth import TOKEN_PATH
from firecrest_sandbox.fault_injection.faults import FaultKind
from firecrest_sandbox.object_storage.presigning import Presigner
from firecrest_sandbox.request_guard import Guard, allowed_hosts
from tests.firecrest_sandbox.conftest import Api

PATHS = (
    "/",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/favicon.ico",
    "/__sandbox/stats",
    "/__sandbox/reset",
    "/__anything",
    "/status/liveness/",
    "/status/systems",
    "/status/systems/",
    "/auth/realms/sandbox",
    "/auth/realms/sandbox/protocol/openid-connect/certs",
    TOKEN_PATH + "/",
    "/filesystem/sandbox/ops/ls",
    "/filesystem/other/ops/ls",
    "/tasks",
    "/utilities/whoami",
    "/storage",
    "/storage/xfer-external/upload",
    "//status/systems",
)


def without_token(api: Api, method: str, path: str, **options: Any) -> httpx.Response:
    return httpx.request(method, api.sandbox.url + path, trust_env=False, **options)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_nothing_but_the_token_endpoint_and_signed_urls_is_served_without_a_token(
    api: Api, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"X-API-Key": ""}, {"Authorization": "Basic YTpi"}):
        answer = without_token(api, method, path, headers=headers)
        assert answer.status_code == 401, (method, path, answer.text)
        assert "systems" not in answer.text


@pytest.mark.parametrize("served", ["v1", "v2"])
def test_it_is_so_whichever_generation_of_the_api_is_served(start: Any, served: str) -> None:
    api = start(api=served)
    for path in PATHS:
        if not path.startswith("/storage"):
            assert without_token(api, "GET", path).status_code == 401, path


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_the_token_endpoint_takes_post_only(api: Api, method: str) -> None:
    assert without_token(api, method, TOKEN_PATH).status_code == 401


@pytest.mark.parametrize("prefix", ["/storage", "/__storage"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
def test_the_storage_wants_a_signature(api: Api, prefix: str, method: str) -> None:
    for path in ("/me/x", "/me/x?X-Amz-Signature=0&X-Amz-Date=&X-Amz-Expires=1&uploadId=..&partNumber=1"):
        answer = without_token(api, method, prefix + path)
        assert answer.status_code in (401, 403), answer.text


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_pages_about_the_api_are_not_served_with_a_token_either(api: Api, path: str) -> None:
    assert api.http.get(path).status_code == 404


def test_the_schema_is_served_with_a_token(api: Api) -> None:
    assert api.http.get("/openapi.json").json()["info"]["title"] == "FirecREST"


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost.:{port}"]
)
def test_another_name_of_the_host_is_refused(api: Api, host: str) -> None:
    """DNS rebinding: a page's own name comes to resolve to this machine."""
    header = {"Host": host.format(port=urlsplit(api.sandbox.url).port)}
    for path in ("/status/systems", TOKEN_PATH, "/__sandbox/stats", "/storage/me/x"):
        answer = api.http.post(path, headers=header)
        assert (answer.status_code, "Host" in answer.text) == (403, True)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_loopback_names_are_accepted(api: Api, name: str) -> None:
    header = {"Host": f"{name}:{urlsplit(api.sandbox.url).port}"}
    assert api.http.get("/status/systems", headers=header).status_code == 200


def test_other_names_can_be_allowed(start: Any) -> None:
    api = start(allowed_hosts=("Gateway.Example:8443",))
    assert api.http.get("/status/systems", headers={"Host": "gateway.example:8443"}).status_code == 200
    assert api.http.get("/status/systems", headers={"Host": "gateway.example"}).status_code == 403
    with pytest.raises(ValidationError):
        SandboxConfig(allowed_hosts=("http://gateway.example",))


def test_the_ports_of_http_may_be_left_out() -> None:
    assert "localhost" in allowed_hosts("http://127.0.0.1:80")
    assert "localhost" not in allowed_hosts("http://127.0.0.1:8080")
    assert "[::1]:8080" in allowed_hosts("http://[::1]:8080")
    assert "127.0.0.2:8080" in allowed_hosts("http://127.0.0.2:8080")


def test_a_request_without_a_host_is_refused(api: Api) -> None:
    own = urlsplit(api.sandbox.url)
    with socket.create_connection((str(own.hostname), own.port or 0)) as connection:
        connection.sendall(b"GET /status/systems HTTP/1.0\r\n\r\n")
        assert b" 403 " in connection.recv(1000)


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://127.0.0.1:1"])
def test_a_web_page_can_trigger_nothing(api: Api, origin: str) -> None:
    """A page can send a form without asking first, and a preflight request to be allowed more."""
    api.sandbox.reset_stats()
    api.http.get("/status/systems")
    form = {"Origin": origin, "Content-Type": "text/plain"}
    assert api.http.post("/__sandbox/reset", headers=form).status_code == 403
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for path in ("/__sandbox/reset", TOKEN_PATH, "/storage/me/x", api.jobs_url):
        answer = without_token(api, "OPTIONS", path, headers=preflight)
        assert answer.status_code == 403
        assert not any(name.startswith("access-control") for name in answer.headers)
    assert api.sandbox.stats().by_shape["GET /status/systems"] == 1


def test_a_refused_request_uses_no_fault_up_and_is_counted(api: Api) -> None:
    api.sandbox.reset_stats()
    api.sandbox.faults.add(FaultRule(path="/status/systems", kind=FaultKind.STATUS, status=502))
    try:
        assert without_token(api, "GET", "/status/systems").status_code == 401
        assert api.http.get("/status/systems").status_code == 502
    finally:
        api.sandbox.faults.clear()
    assert api.sandbox.stats().by_shape == {"GET /status/systems": 2}


def test_a_large_upload_without_a_token_is_refused_and_never_stored(api: Api) -> None:
    before = set(api.home.iterdir())
    files = {"file": ("x", b"x" * 6_000_000)}
    path = f"/filesystem/{api.system}/ops/upload?path={api.home}"
    assert without_token(api, "POST", path, files=files).status_code == 401
    assert set(api.home.iterdir()) == before


def test_a_body_that_never_ends_is_not_read_for_ever_before_it_is_refused() -> None:
    sent, answers = [], []

    async def app(*_: Any) -> None:
        raise AssertionError("not reached")

    async def receive() -> Any:
        sent.append(1_000_000)
        return {"type": "http.request", "body": b"x" * 1_000_000, "more_body": True}

    async def send(message: Any) -> None:
        answers.append(message)

    class Uncounted:
        def begin(self, label: str) -> None: ...
        def end(self) -> None: ...

    guard = Guard(
        app,
        hosts=frozenset(),
        unauthorized=lambda _: None,
        counts=Uncounted(),  # type: ignore[arg-type]
    )
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": [], "query_string": b""}
    asyncio.run(guard(scope, receive, send))
    assert answers[0]["status"] == 403
    assert sum(sent) < 30_000_000


def test_a_request_for_a_token_is_small(api: Api) -> None:
    body = {"grant_type": "client_credentials", "client_id": "x" * 100_000}
    assert httpx.post(api.sandbox.token_url, data=body, trust_env=False).status_code == 413


def test_a_form_is_checked_before_its_file_is_read(api: Api) -> None:
    presigner: Presigner = api.sandbox.state.store.presigner
    fields = presigner.presign_form("me", "large")
    files = {"file": ("large", b"x" * 3_000_000)}
    url = f"{api.sandbox.url}/storage/me"
    assert httpx.post(url, data=fields, files=files, trust_env=False).status_code == 204
    forged = {**fields, "x-amz-signature": "0" * 64}
    assert read_of_form(api, forged) < 300_000
    assert read_of_form(api, {}) < 300_000


def read_of_form(api: Api, fields: dict[str, str]) -> int:
    """Send a form with a file of 30 MB, and return how much of it was read."""
    api.sandbox.reset_stats()
    files = {"file": ("large", b"x" * 30_000_000)}
    try:
        answer = httpx.post(f"{api.sandbox.url}/storage/me", data=fields, files=files, trust_env=False)
        assert answer.status_code == 403
    except httpx.TransportError:
        # The answer came before the end of the request, and the connection was closed.
        pass
    return api.sandbox.stats().bytes_in
