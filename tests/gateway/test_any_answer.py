"""For any answer, `gateway` returns a valid value or raises an error of ours."""

from __future__ import annotations

import copy
import itertools
import math
import os
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.error_translation import translate_error
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.v2 import transfer_jobs
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import Capabilities
from reframe_firecrest.model.node_sets import MOST_NODES, expand_nodes
from reframe_firecrest.model.remote_file import RemoteFile
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import summarise
from tests.fuzzing import examples
from tests.gateway.any_answers import (
    BODIES,
    FILE,
    HEADERS,
    JOB,
    LONG,
    NO_JSON,
    NODE,
    ODD_URLS,
    STATUSES,
    SYSTEMS,
    TRANSFER,
    Long,
    as_json,
    content_of,
)
from tests.gateway.helpers import following, make_settings, run, token


@dataclass(frozen=True)
class Given:
    """The answer to one request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Long = b""

    def response(self) -> httpx.Response:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        return httpx.Response(self.status, headers=headers, stream=Stream(content_of(self.body)))


class Stream(httpx.AsyncByteStream):
    """A body that adds no header of its own."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> Any:
        yield self._content


def work_of(local: Path, large: Path) -> Mapping[str, Callable[[GatewayV2], Awaitable[object]]]:
    return {
        "connect": lambda gateway: gateway.connect(),
        "look": lambda gateway: gateway.status(),
        "reach": lambda gateway: gateway.reach("http://s3.test"),
        "exists": lambda gateway: gateway.exists("/s"),
        "cluster": lambda gateway: gateway.cluster(),
        "accounts": lambda gateway: gateway.accounts(),
        "submit": lambda gateway: gateway.submit("/s/job.sh", "/s", None),
        "jobs": lambda gateway: gateway.jobs(0.0),
        "job": lambda gateway: gateway.job("7"),
        "cancel": lambda gateway: gateway.cancel("7"),
        "make_directory": lambda gateway: gateway.make_directory("/s"),
        "list_tree": lambda gateway: gateway.list_tree("/s"),
        "upload": lambda gateway: gateway.upload(local, "/s/a"),
        "upload by S3": lambda gateway: gateway.upload(large, "/s/a"),
        "download": lambda gateway: gateway.download("/s/a", local, size_hint=10),
        "download by S3": lambda gateway: gateway.download("/s/a", local, size_hint=10**9),
        "extract": lambda gateway: gateway.extract("/s/a.tgz", "/s"),
        "archive": lambda gateway: gateway.archive("/s", ["a", "b"], "/s/out"),
        "remove": lambda gateway: gateway.remove("/s"),
        "change_mode": lambda gateway: gateway.change_mode("/s", "700"),
    }


OPERATIONS = sorted(work_of(Path(), Path()))
IMPATIENT = RetryPolicy(first_contact=0.0, outage=0.0, pause=0.0, pause_max=0.0)
AT_ONCE = (0.0, 0.0)


async def carry_out(
    operation: str, given_answers: Sequence[Given], *, tokens_too: bool
) -> tuple[object, errors.GatewayError | None]:
    answers = itertools.cycle(given_answers)

    async def serve(request: httpx.Request) -> httpx.Response:
        if request.url.host == "idp.test" and not tokens_too:
            return token()
        await request.aread()
        return next(answers).response()

    with tempfile.TemporaryDirectory() as directory:
        local, large = Path(directory, "local"), Path(directory, "large")
        local.write_bytes(b"0123456789")
        large.write_bytes(b"0123456789")
        gateway = following(GatewayV2(Connection(make_settings(), IMPATIENT, httpx.MockTransport(serve))))
        if "S3" in operation:
            gateway._deployment.capabilities = Capabilities(max_direct_upload=5)
        try:
            return await work_of(local, large)[operation](gateway), None
        except errors.GatewayError as error:
            return None, error
        finally:
            await gateway.close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_jobs, "TRANSFER_POLL_PAUSES", AT_ONCE)


@given(
    operation=st.sampled_from(OPERATIONS),
    given_answers=st.lists(st.builds(Given, STATUSES, HEADERS, BODIES), min_size=1, max_size=3),
    tokens_too=st.sampled_from([False, False, False, True]),
)
@examples(150)
def test_every_outcome_is_a_value_or_an_error_of_ours(
    operation: str, given_answers: list[Given], tokens_too: bool
) -> None:
    result, error = run(carry_out(operation, given_answers, tokens_too=tokens_too))
    if error is not None:
        check_error(error)
    elif operation in ("jobs", "job"):
        assert isinstance(result, list)
        check_jobs(result)
    elif operation == "list_tree":
        assert isinstance(result, list)
        check_files(result)


@pytest.mark.parametrize(
    ("operation", "status", "answer"),
    [
        ("connect", 200, SYSTEMS),
        ("look", 200, SYSTEMS),
        ("exists", 200, {"output": {"size": 1}}),
        (
            "jobs",
            200,
            {"jobs": [JOB, {**JOB, "time": {"end": None}, "allocationNodes": None}]},
        ),
        ("submit", 201, {"jobId": 7}),
        ("list_tree", 200, {"output": [FILE]}),
        ("cluster", 200, {"nodes": [NODE], "partitions": [{"name": "p"}], "reservations": []}),
        ("accounts", 200, {"accounts": [{"name": "a", "default": True}]}),
    ],
)
def test_right_answers_are_values(operation: str, status: int, answer: object) -> None:
    result, error = run(carry_out(operation, [Given(status, {}, as_json(answer))], tokens_too=False))
    assert error is None
    assert result


def test_a_time_that_no_clock_shows_is_not_told_and_harms_no_other_job() -> None:
    odd = [
        {**JOB, "time": {"end": end, "limit": limit}} for end, limit in ((-1, 10**40), (math.inf, math.nan))
    ]
    result, _ = run(carry_out("jobs", [Given(200, {}, as_json({"jobs": [JOB, *odd]}))], tokens_too=False))
    assert isinstance(result, list)
    assert [(part.end, part.limit) for part in result] == [(2, 60), (None, None), (None, None)]


def test_an_answer_to_a_submission_that_cannot_be_read_leaves_open_whether_there_is_a_job() -> None:
    no_id = (b"{}", b'{"jobId": null}', b'{"jobId": {}}', b'{"jobId": "7; rm"}')
    bodies: tuple[bytes | Long, ...] = (*NO_JSON, *LONG, *no_id)
    for body in bodies:
        _, error = run(carry_out("submit", [Given(201, {}, body)], tokens_too=False))
        assert isinstance(error, errors.UncertainError), body


@pytest.mark.parametrize("url", ODD_URLS)
def test_a_url_that_is_none_is_not_tried_again(url: str) -> None:
    opened = copy.deepcopy(TRANSFER)
    opened["transferDirectives"]["downloadUrl"] = url
    _, error = run(carry_out("download by S3", [Given(201, {}, as_json(opened))], tokens_too=False))
    assert isinstance(error, errors.FinalError)


def check_error(error: errors.GatewayError) -> None:
    text = str(error)
    assert text.isprintable()
    assert len(text) < 2000
    assert "5ec2e7" not in text, "a signature is shown"
    assert error.retry_after is None or 0 <= error.retry_after <= 3600
    for name in (
        "KeyError",
        "TypeError",
        "AttributeError",
        "RecursionError",
        "UnicodeDecodeError",
        "ValueError",
    ):
        assert name not in text


def check_jobs(parts: list[JobPart]) -> None:
    for part in parts:
        for moment in (part.submitted, part.end, part.elapsed, part.limit):
            assert moment is None or 0 <= moment < 2**43
        assert part.node_count >= 0
        assert re.fullmatch("[A-Za-z0-9]{1,64}", part.base_id), "it becomes part of a path"
        for text in (part.job_id, part.name, part.state, part.reason or "", part.working_directory):
            assert text.isprintable()
        assert len(expand_nodes(part.nodes)) <= MOST_NODES
    if parts:
        summarise(parts)


def check_files(files: list[RemoteFile]) -> None:
    for file in files:
        assert 0 <= file.size < 2**63
        os.fsencode(file.path)
        os.fsencode(file.target or "")


@given(
    status=st.integers(200, 599),
    body=BODIES,
    headers=HEADERS,
)
@examples(100)
def test_a_refusal_in_any_words_becomes_an_error_of_ours(
    status: int, body: bytes | Long, headers: dict[str, str]
) -> None:
    sent = [
        (name.encode(), value.encode("latin-1"))
        for name, value in headers.items()
        if name != "content-length"
    ]
    response = httpx.Response(
        status, content=content_of(body), headers=sent, request=httpx.Request("GET", "http://x")
    )
    error = httpx.HTTPStatusError("no", request=response.request, response=response)
    check_error(translate_error(operations.SUBMIT, error, "'daint' at http://x"))
