"""A gateway that answers from a table, and other helpers of the tests of `gateway`."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.v1.gateway import GatewayV1
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.settings import Settings

T = TypeVar("T")
Answer = httpx.Response | Exception | Callable[[httpx.Request], Any]

SECRET = "tr0ub4dor&3"
KEY = "k3y-0f-the-kingd0m"
TOKEN = "eyJhbGciOiJub25lIn0.e30.first"
SIGNATURE = "X-Amz-Signature=4a7b0c"
URL = "http://gateway.test/hpc"
TOKEN_URL = "http://idp.test/token"
SYSTEM = "daint"

FAST = RetryPolicy(first_contact=1.0, outage=1.0, refused=0.2, pause=0.001, pause_max=0.002)

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "firecrest-api" / "recordings"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own."""
    return asyncio.run(asyncio.wait_for(work, 20))


def make_settings(**changes: object) -> Settings:
    return Settings.model_validate(
        {
            "url": URL,
            "token_url": TOKEN_URL,
            "client_id": "me",
            "client_secret": SECRET,
            "system": SYSTEM,
            "basedir": "/scratch",
            **changes,
        }
    )


def answer(status: int, body: object = None, **headers: str) -> httpx.Response:
    """Make an answer; a text as body becomes FirecREST's error body."""
    if isinstance(body, str):
        body = {"errorType": "error", "message": body, "causedBy": None, "data": None, "user": "me"}
    content = b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=content, headers={"content-type": "application/json", **named})


def token(value: str = TOKEN, expires_in: float = 300) -> httpx.Response:
    return answer(200, {"access_token": value, "expires_in": expires_in})


def page() -> httpx.Response:
    """Make a web page, as a proxy or a portal gives it in place of an answer."""
    return httpx.Response(200, content=b"<html>Log in</html>", headers={"Content-Type": "text/html"})


async def never(_request: httpx.Request) -> httpx.Response:
    """Leave a request without an answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable: the event is never set")


class Api:
    """Answers requests from a table; the last answer of each row is given for ever.

    Attributes:
        seen: all requests but those for tokens, as "METHOD path below the API".
        requests: the same, whole.
        tokens: how many tokens were asked for.
    """

    def __init__(self, table: Mapping[str, Answer | Sequence[Answer]], tokens: Answer | None = None) -> None:
        self._table = {
            key: list(value) if isinstance(value, Sequence) else [value] for key, value in table.items()
        }
        self._token_answer = tokens
        self.seen: list[str] = []
        self.requests: list[httpx.Request] = []
        self.tokens = 0
        self.in_flight = self.most_in_flight = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "idp.test":
            self.tokens += 1
            given: Answer = (
                token(f"token-{self.tokens}") if self._token_answer is None else self._token_answer
            )
        else:
            where = request.url.path.removeprefix("/hpc").replace(f"/{SYSTEM}/", "/")
            self.seen.append(f"{request.method} {where}")
            self.requests.append(request)
            await request.aread()
            if self.seen[-1] not in self._table:
                pytest.fail(f"an unexpected request: {self.seen[-1]}")
            row = self._table[self.seen[-1]]
            given = row.pop(0) if len(row) > 1 else row[0]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await _give(given, request)
        finally:
            self.in_flight -= 1

    def body(self, number: int = -1) -> Any:
        """Return what a request carried."""
        return json.loads(self.requests[number].content)

    def count(self, key: str) -> int:
        return self.seen.count(key)


async def _give(given: Answer, request: httpx.Request) -> httpx.Response:
    if isinstance(given, Exception):
        raise given
    if isinstance(given, httpx.Response):
        # A fresh one each time: a response belongs to the request that it answers.
        return httpx.Response(given.status_code, headers=given.headers, content=given.content)
    made = given(request)
    result = await made if inspect.isawaitable(made) else made
    assert isinstance(result, httpx.Response)
    return result


def part(job_id: str = "7", state: str = "COMPLETED", exit_code: int | None = 0) -> JobPart:
    return JobPart(job_id, "transfer", state, None, exit_code, "nid001", 1.0, 2.0, "/home/me")


class Follower:
    """A follower of transfer jobs.

    Args:
        wait: waits for one job.
    """

    def __init__(self, wait: Callable[[str], Awaitable[Sequence[JobPart]]]) -> None:
        self._wait = wait

    async def wait_until_ended(self, job_id: str) -> Sequence[JobPart]:
        return await self._wait(job_id)


def finished(*parts: JobPart) -> tuple[list[str], Follower]:
    """Make a follower of transfer jobs that finds them ended, and a list of those it was asked for."""
    asked: list[str] = []

    async def wait(job_id: str) -> Sequence[JobPart]:
        asked.append(job_id)
        return parts or (part(job_id),)

    return asked, Follower(wait)


AnyGateway = TypeVar("AnyGateway", GatewayV1, GatewayV2)


def following(gateway: AnyGateway, follower: Follower | None = None) -> AnyGateway:
    """Return a gateway with a follower of its transfer jobs; by default one that finds them ended."""
    gateway.follow_jobs_with(follower or finished()[1])
    return gateway


def make_gateway(api: Api, *parts: JobPart, retry_policy: RetryPolicy = FAST, **changes: object) -> GatewayV2:
    connection = Connection(make_settings(**changes), retry_policy, httpx.MockTransport(api))
    return following(GatewayV2(connection), finished(*parts)[1])


def failures_of(recording: Any) -> list[Any]:
    """Return the exchanges of a recording that ended in an error."""
    return [item for item in recording["exchanges"] if item["response"]["status"] >= 400]


def recordings(pattern: str = "*", *, failed: bool = False) -> list[Any]:
    """Return recordings of a real gateway as test parameters; one that skips where there are none.

    Args:
        pattern: of the recordings' names.
        failed: only those with an error in them.
    """
    if not RECORDINGS.is_dir():
        reason = f"no recordings of a real gateway in {RECORDINGS}"
        return [pytest.param({}, id="none", marks=pytest.mark.skip(reason=reason))]
    found = [json.loads(path.read_text()) for path in sorted(RECORDINGS.glob(f"{pattern}.json"))]
    return [pytest.param(item, id=item["name"]) for item in found if not failed or failures_of(item)]
