from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import httpx
import pytest

from reframe_firecrest.gateway.client import Client, CountingClient, Wire
from tests.gateway.helpers import SIGNATURE, TOKEN, answer, run


class Authorization:
    async def auth_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}


def make_client(handler: object, wire: Wire | None = None) -> Client:
    transport = httpx.MockTransport(handler)  # type: ignore[arg-type] # httpx takes coroutines as well
    return Client("http://gateway.test", Authorization(), CountingClient(wire or Wire(), transport=transport))


def test_requests_in_flight_and_bytes_are_counted() -> None:
    wire = Wire()
    arrived = asyncio.Event()
    waiting = 0

    async def handler(request: httpx.Request) -> httpx.Response:
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            arrived.set()
        await arrived.wait()
        return answer(200, {"output": "x" * 88})

    async def work() -> None:
        client = make_client(handler, wire)
        await asyncio.gather(*(client.get_json("/status/systems") for _ in range(3)))

    run(work())
    assert (wire.requests, wire.most_in_flight, wire.in_flight) == (3, 3, 0)
    assert wire.bytes_received == 3 * 102


def test_a_request_that_fails_is_not_in_flight_any_more() -> None:
    wire = Wire()

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset")

    with pytest.raises(httpx.ReadError):
        run(make_client(handler, wire).get_json("/status/systems"))
    assert (wire.requests, wire.in_flight) == (1, 0)


@pytest.mark.parametrize("local", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_a_proxy_is_used_for_the_site_and_not_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, local: str
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.test:3128")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    client = CountingClient(Wire())
    assert client._transport_for_url(httpx.URL(local)) is client._transport
    assert client._transport_for_url(httpx.URL("https://api.example.org")) is not client._transport


def test_rate_limits_are_left_to_the_policy() -> None:
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer(429, "slow down", retry_after="60")

    with pytest.raises(Exception, match="429"):
        run(make_client(handler).get_json("/status/systems"))
    assert len(seen) == 1


# pyfirecrest 3.10 completes an upload in a way that httpx would like to see written otherwise.
@pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")
def test_a_large_file_is_sent_in_parts_and_no_url_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = bytes(range(256)) * 100
    (tmp_path / "file").write_bytes(content)
    parts: dict[str, bytes] = {}
    ended: list[str] = []

    async def handler(request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if request.method == "POST":
            ended.append(body.decode())
            return httpx.Response(200)
        assert "authorization" not in request.headers
        assert int(request.headers["content-length"]) == len(body)
        parts[request.url.path] = body
        return httpx.Response(200, headers={"ETag": f'"{request.url.path}"'})

    transfer = {
        "transferDirectives": {
            "partsUploadUrls": [f"http://s3.test/{number}?{SIGNATURE}" for number in (1, 2, 3)],
            "completeUploadUrl": f"http://s3.test/end?{SIGNATURE}",
            "maxPartSize": 10_000,
        }
    }
    with caplog.at_level(logging.DEBUG):
        run(make_client(handler).send_parts(transfer, tmp_path / "file"))
    assert b"".join(parts[f"/{number}"] for number in (1, 2, 3)) == content
    assert ended[0].index('"/1"') < ended[0].index('"/2"') < ended[0].index('"/3"')
    assert "http://s3.test/end" in caplog.text
    assert SIGNATURE not in caplog.text


def test_a_presigned_url_is_fetched_without_the_token(tmp_path: Path) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        return httpx.Response(200, content=b"x" * 3_000_000)

    run(make_client(handler).fetch_object(f"http://s3.test/key?{SIGNATURE}", tmp_path / "file"))
    assert (tmp_path / "file").stat().st_size == 3_000_000


@pytest.mark.parametrize("status", [302, 403, 500])
def test_no_error_page_is_taken_for_the_file(tmp_path: Path, status: int) -> None:
    client = make_client(lambda _: httpx.Response(status, content=b"<Error/>"))
    with pytest.raises(httpx.HTTPStatusError):
        run(client.fetch_object("http://s3.test/key", tmp_path / "file"))
    assert not (tmp_path / "file").exists()
