"""Authentication of requests, and the absence of credentials from logs."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import shlex
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from reframe_firecrest.gateway.auth import authorization
from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors
from reframe_firecrest.settings import read_settings
from tests.gateway.helpers import FAST, KEY, TOKEN, Api, answer, make_gateway, run, token

LIST = "GET /compute/jobs"
SUBMIT = "POST /compute/jobs"
JOBS: dict[str, Any] = {"jobs": []}
REFUSED = answer(401, "Access token expires too soon (less than 30s remaining).")

Method = Callable[[GatewayV2], Awaitable[Any]]


def list_jobs(gateway: GatewayV2) -> Awaitable[Any]:
    return gateway.jobs(time.time())


def submit(gateway: GatewayV2) -> Awaitable[Any]:
    return gateway.submit("/scratch/t/job.sh", "/scratch/t", None)


async def ask(gateway: GatewayV2, *methods: Method) -> Any:
    result = None
    try:
        for method in methods:
            result = await method(gateway)
    finally:
        await gateway.close()
    return result


@pytest.fixture
def brief_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a source be asked again soon for a token that it has given twice."""
    monkeypatch.setattr(authorization, "LEAST_USE", 0.01)


class TestApiKey:
    def test_it_goes_with_every_request(self) -> None:
        api = Api({LIST: answer(200, JOBS)})
        run(ask(make_gateway(api, auth="api_key", api_key=KEY), list_jobs, list_jobs))
        for request in api.requests:
            assert request.headers["x-api-key"] == KEY
            assert "authorization" not in request.headers
        assert api.tokens == 0

    def test_a_refusal_that_lasts_is_final_and_told_in_one_line(self) -> None:
        api = Api({LIST: [answer(200, JOBS), answer(401, "API key is invalid.")]})
        gateway = make_gateway(api, auth="api_key", api_key=KEY, retry_policy=RetryPolicy(refused=0.0))
        with pytest.raises(errors.AuthError) as caught:
            run(ask(gateway, list_jobs, list_jobs))
        line = str(caught.value)
        assert line.endswith("API key is invalid; check the API key (FIRECREST_API_KEY) and its permissions")
        assert "\n" not in line
        assert api.count(LIST) == 2
        assert KEY not in "".join(traceback.format_exception(caught.value))


class TestTokens:
    def test_a_source_that_repeats_a_refused_token_is_waited_for(self, brief_use: None) -> None:
        given = [*["old"] * 4, "new"]

        def tokens(_request: httpx.Request) -> httpx.Response:
            return token(given.pop(0))

        def refuse_the_old(request: httpx.Request) -> httpx.Response:
            return REFUSED if request.headers["authorization"].endswith("old") else answer(200, JOBS)

        assert run(ask(make_gateway(Api({LIST: refuse_the_old}, tokens=tokens)), list_jobs)) == []
        assert given == []

    def test_but_not_for_ever(self, brief_use: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(authorization, "STALE_PATIENCE", 0.05)
        api = Api({LIST: REFUSED}, tokens=token("old"))
        retry_policy = dataclasses.replace(FAST, outage=1000)
        with pytest.raises(errors.AuthError, match=r"expires too soon.*; a renewed token is refused too"):
            run(ask(make_gateway(api, retry_policy=retry_policy), list_jobs))

    @pytest.mark.parametrize(
        "outage_log", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), answer(503)]
    )
    def test_a_provider_that_is_down_in_mid_run_is_waited_for(
        self, monkeypatch: pytest.MonkeyPatch, outage_log: httpx.Response | Exception
    ) -> None:
        asked = 0
        later = 0.0
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + later)
        monkeypatch.setattr(authorization, "time", clock)

        def tokens(_request: httpx.Request) -> httpx.Response:
            nonlocal asked
            asked += 1
            if 1 < asked < 20 and isinstance(outage_log, Exception):
                raise outage_log
            return outage_log if 1 < asked < 20 and isinstance(outage_log, httpx.Response) else token()

        async def wait(_gateway: GatewayV2) -> None:
            nonlocal later
            later += 3600.0

        api = Api({LIST: answer(200, JOBS), SUBMIT: answer(201, {"jobId": 7})}, tokens=tokens)
        retry_policy = dataclasses.replace(FAST, first_contact=0.0, outage=10.0)
        assert run(ask(make_gateway(api, retry_policy=retry_policy), list_jobs, wait, submit)) == "7"
        assert api.count(SUBMIT) == 1

    def test_the_time_that_a_token_takes_is_not_the_operations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A submit that was never sent must not count as one whose answer is late."""
        monkeypatch.setattr(operations, "SUBMIT", dataclasses.replace(operations.SUBMIT, timeout=0.1))

        async def slow(_request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0.3)
            return token()

        api = Api({SUBMIT: answer(201, {"jobId": 7})}, tokens=slow)
        assert run(ask(make_gateway(api), submit)) == "7"
        assert (api.count(SUBMIT), api.tokens) == (1, 1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig()) as made:
        yield made


def token_command(sandbox: Sandbox) -> str:
    program = (
        "import json, os, sys, urllib.parse as p, urllib.request as r; v = os.environ;"
        "form = {'grant_type': 'client_credentials', 'client_id': sys.argv[1], 'client_secret': sys.argv[2]};"
        f"o = r.build_opener(r.ProxyHandler({{}})).open({sandbox.token_url!r}, p.urlencode(form).encode());"
        "print(json.load(o)['access_token'])"
    )
    config = sandbox.config
    return shlex.join(
        [sys.executable, "-c", program, config.client_id, config.client_secret.get_secret_value()]
    )


WAYS = ("client_secret_post", "client_secret_basic", "token_command", "api_key")


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("way", WAYS)
def test_no_secret_is_in_any_log(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, way: str, right: bool
) -> None:
    issued: list[str] = []
    authority = sandbox.state.authority
    environment = {**sandbox.environment(), "FIRECREST_AUTH": way}
    environment["FIRECREST_TOKEN_COMMAND"] = token_command(sandbox) if right else f"echo {TOKEN}"
    if not right:
        environment |= {"FIRECREST_CLIENT_SECRET": "wr0ng-s3cret", "FIRECREST_API_KEY": KEY}
    gateway = GatewayV2(Connection(read_settings([], environment), FAST))
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.DEBUG):
        patch.setattr(authorization, "STALE_PATIENCE", 0.0)
        patch.setattr(type(authority), "issue", noting(type(authority).issue, issued))
        caught = run(outcome(gateway))
    assert (caught is None) == right, caught
    assert "httpcore" in caplog.text
    shown = caplog.text + "".join(traceback.format_exception(caught) if caught else [])
    secrets = (*issued, authority.client_secret, authority.api_key, "wr0ng-s3cret", KEY, TOKEN)
    assert bool(issued) == (right and way != "api_key")
    for secret in secrets:
        assert secret not in shown


def noting(issue: Callable[[Any], str], issued: list[str]) -> Callable[[Any], str]:
    def issue_and_note(authority: Any) -> str:
        issued.append(issue(authority))
        return issued[-1]

    return issue_and_note


async def outcome(gateway: GatewayV2) -> Exception | None:
    try:
        await ask(gateway, GatewayV2.connect)
    except errors.GatewayError as error:
        return error
    return None


def test_what_a_server_sets_in_its_answers_heads_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """A cookie stands for a session, and a redirect may lead to a presigned URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 No\r\nSet-Cookie: session=c00kie\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def work() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            environment = {
                "FIRECREST_URL": url,
                "FIRECREST_API_KEY": KEY,
                "FIRECREST_SYSTEM": "daint",
                "FIRECREST_BASEDIR": "/scratch",
            }
            gateway = GatewayV2(
                Connection(read_settings([], environment), dataclasses.replace(FAST, first_contact=0))
            )
            assert await outcome(gateway) is not None

    with caplog.at_level(logging.DEBUG):
        run(work())
    assert "receive_response_headers" in caplog.text
    assert "c00kie" not in caplog.text


def test_no_secret_is_on_a_command_line_of_ours(tmp_path: Path) -> None:
    """A token command gets the user's environment without additions."""
    seen = tmp_path / "seen"
    script = f"tr '\\0' '\\n' < /proc/$$/cmdline > {seen}; echo {TOKEN}"
    api = Api({LIST: answer(200, JOBS)})
    gateway = make_gateway(api, auth="token_command", token_command=["sh", "-c", script])
    run(ask(gateway, list_jobs))
    assert seen.read_text().splitlines() == ["sh", "-c", script]
    assert api.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
