from __future__ import annotations

import asyncio
import gc
import time
import traceback
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest

from reframe_firecrest.gateway.auth import authorization as auth
from reframe_firecrest.gateway.auth.authorization import TokenSource, authorization
from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.model import errors
from tests.gateway.helpers import KEY, SECRET, TOKEN, TOKEN_URL, URL, answer, make_settings, never, run, token


class Clock:
    """A clock that a test advances."""

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


def source(provider: Any, **changes: object) -> TokenSource:
    client = httpx.AsyncClient(transport=httpx.MockTransport(provider))
    made = authorization(make_settings(**changes).credentials, client)
    assert isinstance(made, TokenSource)
    return made


def refusal(headers: Mapping[str, str], status: int = 401) -> httpx.Response:
    """Make the gateway's answer to a request with these headers."""
    return httpx.Response(status, request=httpx.Request("GET", URL, headers=headers))


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


def test_credentials_can_go_by_basic_authentication() -> None:
    """Form-encoded: RFC 6749 section 2.3.1."""
    provider = Provider(lambda _: token())
    made = source(provider, auth="client_secret_basic", client_id="a:b", client_secret="p+w d%é")
    assert run(made.auth_headers()) == {"Authorization": f"Bearer {TOKEN}"}
    [sent] = provider.requests
    scheme, _, pair = sent.headers["authorization"].partition(" ")
    assert scheme == "Basic"
    assert b64decode(pair) == b"a%3Ab:p%2Bw+d%25%C3%A9"
    assert sent.content == b"grant_type=client_credentials"


def test_an_api_key_goes_as_it_is_and_nobody_is_asked() -> None:
    for header in ("X-API-Key", "apikey"):
        credentials = make_settings(auth="api_key", api_key=KEY, api_key_header=header).credentials
        made = authorization(credentials, httpx.AsyncClient(transport=httpx.MockTransport(never)))
        assert run(made.auth_headers()) == {header: KEY}
        assert not made.renewable
        assert not made.is_stale()
        assert KEY not in repr(made)
        run(made.close())


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


def test_the_clock_of_the_machine_does_not_matter(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider(lambda number: token(f"t{number}"))

    async def work() -> list[str]:
        tokens = source(provider)
        seen = []
        for wall in (0.0, 4e9, -4e9, 1e9):
            monkeypatch.setattr(time, "time", lambda wall=wall: wall)
            seen.append((await tokens.auth_headers())["Authorization"])
        clock.now += 241
        seen.append((await tokens.auth_headers())["Authorization"])
        return seen

    assert run(work()) == ["Bearer t1"] * 4 + ["Bearer t2"]


def test_who_stops_waiting_does_not_end_it_for_the_others() -> None:
    asked = asyncio.Event()
    given = asyncio.Event()

    async def slow(_request: httpx.Request) -> httpx.Response:
        assert not asked.is_set()
        asked.set()
        await given.wait()
        return token()

    async def work() -> dict[str, str]:
        tokens = source(slow)
        first, second = (asyncio.create_task(tokens.auth_headers()) for _ in range(2))
        await asked.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        given.set()
        return await second

    assert run(work()) == {"Authorization": f"Bearer {TOKEN}"}


def test_an_error_that_nobody_waits_for_any_more_is_nobodys_concern(caplog: pytest.LogCaptureFixture) -> None:
    given = asyncio.Event()

    async def fail(_request: httpx.Request) -> httpx.Response:
        await given.wait()
        return answer(503)

    async def work() -> None:
        tokens = source(fail)
        only = asyncio.create_task(tokens.auth_headers())
        await asyncio.sleep(0)
        only.cancel()
        await asyncio.wait([only])
        assert tokens._fetching is not None
        given.set()
        await asyncio.wait([tokens._fetching])
        del tokens
        gc.collect()

    run(work())
    assert caplog.text == ""


def test_closing_stops_what_is_under_way() -> None:
    async def work() -> None:
        tokens = source(never)
        waiting = asyncio.create_task(tokens.auth_headers())
        await asyncio.sleep(0)
        await tokens.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await tokens.close()

    run(work())


class TestRefusals:
    def test_many_of_one_token_bring_one_new_token(self) -> None:
        provider = Provider(lambda number: token(f"t{number}"))

        async def work() -> None:
            tokens = source(provider)
            used = await tokens.auth_headers()
            for _ in range(8):
                await tokens.notice(refusal(used))
                assert (await tokens.auth_headers())["Authorization"] == "Bearer t2"

        run(work())
        assert len(provider.requests) == 2

    def test_one_of_another_service_has_no_meaning_for_the_token(self) -> None:
        provider = Provider(lambda number: token(f"t{number}"))

        async def work() -> None:
            tokens = source(provider)
            used = await tokens.auth_headers()
            await tokens.notice(refusal({}))
            await tokens.notice(refusal({"Authorization": "Basic abc"}))
            await tokens.notice(refusal(used, status=403))
            assert await tokens.auth_headers() == used

        run(work())
        assert len(provider.requests) == 1

    def test_a_token_that_is_given_again_is_used_and_replaced_soon(self, clock: Clock) -> None:
        """Commands that keep a token until it has expired do that, but its last 30 s are of no use."""
        provider = Provider(lambda number: token("old" if number < 4 else "new"))

        async def work() -> None:
            tokens = source(provider)
            old = await tokens.auth_headers()
            await tokens.notice(refusal(old))
            assert not tokens.is_stale()
            for _ in range(10):
                assert await tokens.auth_headers() == old
                await tokens.notice(refusal(old))
                assert tokens.is_stale()
            assert len(provider.requests) == 2
            clock.now += 6
            await tokens.auth_headers()
            clock.now += 6
            assert (await tokens.auth_headers())["Authorization"] == "Bearer new"
            assert not tokens.is_stale()

        run(work())
        assert len(provider.requests) == 4

    def test_that_is_not_borne_for_long(self, clock: Clock) -> None:
        provider = Provider(lambda _: token("old"))

        async def work() -> None:
            tokens = source(provider)
            for _ in range(2):
                await tokens.notice(refusal(await tokens.auth_headers()))
            clock.now += 59
            assert tokens.is_stale()
            clock.now += 2
            assert not tokens.is_stale()

        run(work())

    def test_a_refusal_is_forgotten_once_the_token_is_good_again(self) -> None:
        provider = Provider(lambda _: token("same"))

        async def work() -> None:
            tokens = source(provider)
            used = await tokens.auth_headers()
            await tokens.notice(refusal(used))
            await tokens.auth_headers()
            await tokens.notice(refusal(used, status=200))
            await tokens.notice(refusal(used))
            await tokens.auth_headers()

        run(work())
        assert len(provider.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403])
def test_the_error_of_a_refused_client_names_the_variables_to_check(status: int) -> None:
    refusal = answer(status, {"error": "unauthorized_client", "error_description": f"bad secret {SECRET}"})
    line = fails(Provider(lambda _: refusal), errors.AuthError)
    assert TOKEN_URL in line
    assert "'me'" in line
    assert "FIRECREST_CLIENT_ID, the secret (FIRECREST_CLIENT_SECRET or" in line
    assert "client_secret_post" in line


@pytest.mark.parametrize(
    "outage_log", [answer(404), httpx.Response(200, text="<html>Maintenance"), answer(302)]
)
def test_an_endpoint_that_gave_tokens_is_having_an_outage_when_it_is_none_any_more(
    outage_log: httpx.Response,
) -> None:
    provider = Provider(lambda number: token(f"t{number}", 10) if number != 2 else outage_log)

    async def work() -> None:
        tokens = source(provider)
        await tokens.notice(refusal(await tokens.auth_headers()))
        with pytest.raises(errors.TransientError, match="check AUTH_TOKEN_URL"):
            await tokens.auth_headers()
        assert (await tokens.auth_headers())["Authorization"] == "Bearer t3"

    run(work())


def test_every_wait_for_the_provider_has_a_limit() -> None:
    provider = Provider(lambda _: token())
    run(source(provider).auth_headers())
    limits = provider.requests[0].extensions["timeout"]
    assert limits == dict.fromkeys(("connect", "read", "write", "pool"), operations.TOKEN.timeout)


@pytest.mark.parametrize("trickle", [b"", b"H"], ids=["silent", "trickling"])
def test_a_provider_that_never_comes_to_an_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, trickle: bytes
) -> None:
    monkeypatch.setattr(operations, "TOKEN", Operation("fetching", timeout=0.5))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" if trickle else b"")
            while not reader.at_eof():
                writer.write(trickle)
                await writer.drain()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(reader.read(1000), 0.05)
        except ConnectionError:
            return
        finally:
            writer.close()

    async def work() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            credentials = make_settings(token_url=f"http://127.0.0.1:{port}/token").credentials
            async with httpx.AsyncClient(trust_env=False) as client:
                with pytest.raises(errors.TransientError, match="no answer"):
                    await authorization(credentials, client).auth_headers()

    run(work())


def test_a_provider_that_asks_for_a_pause_gets_it() -> None:
    with pytest.raises(errors.TransientError) as caught:
        run(source(Provider(lambda _: answer(429, retry_after="7"))).auth_headers())
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("problem", "reported"),
    [(httpx.ConnectError("refused"), "(ConnectError)"), (httpx.ReadTimeout("slow"), "no answer within")],
)
def test_a_provider_that_is_down_is_asked_again_later(problem: httpx.TransportError, reported: str) -> None:
    def down(request: httpx.Request) -> httpx.Response:
        raise problem

    line = fails(down, errors.TransientError)
    assert "identity provider" in line
    assert reported in line


def test_a_certificate_that_is_not_trusted_is_reported_with_the_remedy() -> None:
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
        answer(200, {"access_token": f"{TOKEN}\nX-Other: 1"}),
        answer(200, {"access_token": f"{TOKEN}é"}),
        answer(404, {"access_token": TOKEN}),
        httpx.Response(302, headers={"location": "http://elsewhere.test"}),
        httpx.Response(204),
    ],
)
def test_what_is_no_token_is_reported_without_showing_it(reply: httpx.Response) -> None:
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
