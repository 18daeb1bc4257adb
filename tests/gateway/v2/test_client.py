from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from typing import Any

import firecrest.v2
import httpx
import pytest

from reframe_firecrest.gateway.http.http_client import CountingClient, TrafficCounter
from reframe_firecrest.gateway.v2.client import ATTRIBUTES, PRIVATE, Client
from tests.gateway.helpers import TOKEN, answer, run


class Authorization:
    async def auth_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}


def make_client(handler: object, traffic: TrafficCounter | None = None) -> Client:
    transport = httpx.MockTransport(handler)  # type: ignore[arg-type] # httpx takes coroutines as well
    return Client(
        "http://gateway.test",
        Authorization(),
        CountingClient(traffic or TrafficCounter(), transport=transport),
    )


def test_requests_in_flight_and_bytes_are_counted() -> None:
    traffic = TrafficCounter()
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
        client = make_client(handler, traffic)
        await asyncio.gather(*(client.get_json("/status/systems") for _ in range(3)))

    run(work())
    assert (traffic.requests, traffic.most_in_flight, traffic.in_flight) == (3, 3, 0)
    assert traffic.bytes_received == 3 * 102


def test_a_request_that_fails_is_not_in_flight_any_more() -> None:
    traffic = TrafficCounter()

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset")

    with pytest.raises(httpx.ReadError):
        run(make_client(handler, traffic).get_json("/status/systems"))
    assert (traffic.requests, traffic.in_flight) == (1, 0)


@pytest.mark.parametrize("local", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_a_proxy_is_used_for_the_site_and_not_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, local: str
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.test:3128")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    client = CountingClient(TrafficCounter())
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


class TestPyfirecrest:
    """The private members that the client uses, which a release of pyfirecrest may rename or remove."""

    RELEASE = f"pyfirecrest {version('pyfirecrest')}"

    @pytest.mark.parametrize("name", PRIVATE)
    def test_it_has_each_private_method(self, name: str) -> None:
        method = getattr(firecrest.v2.AsyncFirecrest, name, None)
        assert callable(method), f"{self.RELEASE} has no {name}(): adapt gateway/v2/client.py"

    @pytest.mark.parametrize("name", PRIVATE)
    def test_each_private_method_takes_the_parameters_that_are_passed(self, name: str) -> None:
        method = getattr(firecrest.v2.AsyncFirecrest, name)
        # A decorator of pyfirecrest hides the signature.
        hidden = inspect.getclosurevars(method).nonlocals.get("func")
        missing = set(PRIVATE[name]) - inspect.signature(hidden or method).parameters.keys()
        assert not missing, f"{name}() of {self.RELEASE} has no {missing}: adapt gateway/v2/client.py"

    @pytest.mark.parametrize("name", ATTRIBUTES)
    def test_it_has_each_attribute_that_is_set(self, name: str) -> None:
        client = firecrest.v2.AsyncFirecrest("http://gateway.test", authorization=object(), verify=False)
        assert hasattr(client, name), f"{self.RELEASE} has no attribute {name}: adapt gateway/v2/client.py"


def test_what_was_uploaded_is_freed_although_httpx_keeps_the_request() -> None:
    files: list[Any] = []

    def handler(request: httpx.Request) -> httpx.Response:
        assert b"content" in request.read()
        return answer(204)

    async def work() -> None:
        client = make_client(handler)
        post = client._post_request

        async def note(**options: Any) -> Any:
            files.append(options["files"]["file"][1])
            answered: httpx.Response = await post(**options)
            return answered

        client._post_request = note
        await client.upload_direct("system", b"content", "/run", "name")

    run(work())
    assert [file.closed for file in files] == [True]
