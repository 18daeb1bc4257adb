from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from reframe_firecrest import errors
from reframe_firecrest.gateway import auth
from reframe_firecrest.gateway.auth import TokenSource
from tests.gateway.helpers import SECRET, TOKEN, TOKEN_URL, answer, make_settings, run, token


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(auth, "time", made)
    return made


class Provider:
    """An identity provider that counts what it is asked."""

    def __init__(self, reply: Callable[[int], httpx.Response]) -> None:
        self._reply = reply
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        return self._reply(len(self.requests))


def source(provider: Any) -> TokenSource:
    return TokenSource(make_settings(), httpx.AsyncClient(transport=httpx.MockTransport(provider)))


def fails(provider: Any, kind: type[errors.GatewayError]) -> str:
    """Return the one line with which fetching a token fails; neither it nor a traceback holds a secret."""
    with pytest.raises(errors.GatewayError) as caught:
        run(source(provider).auth_headers())
    assert type(caught.value) is kind
    line = str(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "\n" not in line
    assert SECRET not in shown
    assert TOKEN not in shown
    return line


def test_credentials_become_a_header() -> None:
    provider = Provider(lambda _: token())
    assert run(source(provider).auth_headers()) == {"Authorization": f"Bearer {TOKEN}"}
    sent = httpx.QueryParams(provider.requests[0].content.decode())
    assert dict(sent) == {
        "grant_type": "client_credentials",
        "client_id": "me",
        "client_secret": SECRET,
    }


def test_many_callers_at_once_share_one_request() -> None:
    provider = Provider(lambda _: token())

    async def work() -> None:
        tokens = source(provider)
        headers = await asyncio.gather(*(tokens.auth_headers() for _ in range(50)))
        assert {item["Authorization"] for item in headers} == {f"Bearer {TOKEN}"}

    run(work())
    assert len(provider.requests) == 1


@pytest.mark.parametrize("lifetime", [45, 60, 119, 120, 300, 3600])
def test_a_token_is_renewed_before_the_gateway_refuses_it_and_not_much_sooner(
    clock: Clock, lifetime: float
) -> None:
    provider = Provider(lambda number: token(f"t{number}", lifetime))

    async def work() -> None:
        tokens = source(provider)
        fetched = clock.now
        for second in range(int(lifetime)):
            clock.now = fetched + second
            await tokens.auth_headers()
            if len(provider.requests) == 2:
                # With under 30 s left, the gateway refuses a token.
                assert 31 <= lifetime - second + 1 <= 62
                return
        pytest.fail("the token was never renewed")

    run(work())


def test_the_time_that_a_slow_provider_takes_is_not_counted_as_validity(clock: Clock) -> None:
    def slow(number: int) -> httpx.Response:
        clock.now += 8
        return token(f"t{number}", 45)

    provider = Provider(slow)

    async def work() -> None:
        tokens = source(provider)
        await tokens.auth_headers()
        clock.now += 5
        await tokens.auth_headers()

    run(work())
    assert len(provider.requests) == 2


def test_a_token_that_hardly_lives_is_still_used_for_a_while(clock: Clock) -> None:
    provider = Provider(lambda _: token(expires_in=10))

    async def work() -> None:
        tokens = source(provider)
        for _ in range(20):
            await tokens.auth_headers()

    run(work())
    assert len(provider.requests) == 1


def test_many_refusals_of_one_token_bring_one_new_token(clock: Clock) -> None:
    provider = Provider(lambda number: token(f"t{number}"))

    async def work() -> None:
        tokens = source(provider)
        await tokens.auth_headers()
        clock.now += 10
        asked_at = clock.now
        clock.now += 1
        for _ in range(8):
            tokens.discard(asked_at)
            assert (await tokens.auth_headers())["Authorization"] == "Bearer t2"

    run(work())
    assert len(provider.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_client_is_told_which_variables_to_check(status: int) -> None:
    refusal = answer(status, {"error": "unauthorized_client", "error_description": f"bad secret {SECRET}"})
    line = fails(Provider(lambda _: refusal), errors.AuthError)
    assert TOKEN_URL in line
    assert "'me'" in line
    assert "FIRECREST_CLIENT_ID and FIRECREST_CLIENT_SECRET" in line


def test_a_wrong_url_is_told_by_the_variable() -> None:
    assert "AUTH_TOKEN_URL" in fails(Provider(lambda _: answer(404)), errors.AuthError)


@pytest.mark.parametrize("problem", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow")])
def test_a_provider_that_is_down_is_asked_again_later(problem: httpx.TransportError) -> None:
    def down(request: httpx.Request) -> httpx.Response:
        raise problem

    line = fails(down, errors.TransientError)
    assert "identity provider" in line
    assert type(problem).__name__ in line


def test_a_certificate_that_is_not_trusted_is_told_with_the_remedy() -> None:
    def untrusted(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(
            "[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer", request=request
        )

    line = fails(untrusted, errors.TransientError)
    assert "idp.test is not trusted" in line
    assert "FIRECREST_CA_BUNDLE" in line


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_provider_in_trouble_is_asked_again_later(status: int) -> None:
    assert f"HTTP {status}" in fails(Provider(lambda _: answer(status)), errors.TransientError)


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200, text=f"<html>{TOKEN}"),
        answer(200, {"token": TOKEN}),
        answer(200, {"access_token": [TOKEN], "expires_in": 300}),
        answer(200, {"access_token": TOKEN, "expires_in": "soon"}),
        answer(200, [TOKEN]),
        httpx.Response(302, headers={"location": "http://elsewhere.test"}),
        httpx.Response(204),
    ],
)
def test_what_is_no_token_is_told_without_showing_it(reply: httpx.Response) -> None:
    assert "AUTH_TOKEN_URL" in fails(Provider(lambda _: reply), errors.ProtocolError)


def test_a_failure_is_not_remembered() -> None:
    provider = Provider(lambda number: answer(503) if number == 1 else token())

    async def work() -> None:
        tokens = source(provider)
        with pytest.raises(errors.TransientError):
            await tokens.auth_headers()
        assert TOKEN in (await tokens.auth_headers())["Authorization"]

    run(work())


def test_a_token_is_never_printed() -> None:
    async def work() -> str:
        tokens = source(Provider(lambda _: token()))
        await tokens.auth_headers()
        return repr(tokens) + repr(tokens._token)

    assert TOKEN not in run(work())
