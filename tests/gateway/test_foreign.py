"""Answers of proxies in front of a gateway say nothing about what the gateway has done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.gateway.http import error_translation, operations, policy
from reframe_firecrest.gateway.http.error_mapping import ANY, V2, ErrorMapping
from reframe_firecrest.gateway.v1.error_mapping import V1
from reframe_firecrest.model import errors
from tests.gateway.helpers import FAST, Api, answer, make_gateway, run

SUBMIT = "POST /compute/jobs"
LIST = "GET /compute/jobs"

BODIES: Mapping[str, bytes] = {
    "empty": b"",
    "Envoy": b"upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
    "nginx": b"<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head></html>",
    "Kong": json.dumps({"message": "The upstream server is timing out"}).encode(),
    "Kong's id": json.dumps({"message": "An unexpected error occurred", "request_id": "5"}).encode(),
    "AWS": json.dumps({"message": "Endpoint request timed out"}).encode(),
    "Lambda": json.dumps({"errorType": "Error", "errorMessage": "timed out"}).encode(),
    "Spring": json.dumps({"timestamp": 1, "status": 503, "error": "Unavailable", "path": "/"}).encode(),
    "Traefik": b"Gateway Timeout",
    "Starlette": b"Internal Server Error",
    "problem": json.dumps({"type": "about:blank", "title": "Bad Gateway", "status": 502}).encode(),
    "OAuth": json.dumps({"error": "server_error", "error_description": "no"}).encode(),
    "error": json.dumps({"error": "Bad Gateway"}).encode(),
    "list": b"[1, 2]",
    "half": b'{"errorType": "error", "mess',
    "bytes": b"\xff\xfe",
    "deep": b"[" * 100_000,
}
DIALECTS = {"v1": V1, "v2": V2, "any": ANY}
OWN = answer(503, "The scheduler service for the requested system (daint) is unhealthy.")


def meaning(operation: operations.Operation, response: httpx.Response, error_mapping: ErrorMapping) -> Any:
    response.request = httpx.Request("POST", "http://gateway.test")
    problem = httpx.HTTPStatusError("no", request=response.request, response=response)
    error = error_translation.translate_error(operation, problem, "'daint'", error_mapping=error_mapping)
    return type(policy.in_context(operation, error, answered=True))


@pytest.mark.parametrize(
    "status", [400, 402, 403, 404, 408, 409, 413, 418, 424, 500, 501, 502, 503, 504, 520]
)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("error_mapping", DIALECTS.values(), ids=DIALECTS)
def test_a_submission_is_uncertain_after_any_answer_that_is_not_firecrests(
    error_mapping: ErrorMapping, body: bytes, status: int
) -> None:
    if body == BODIES["error"] and status < 500 and error_mapping is not V2:
        pytest.skip("FirecREST v1 does answer like this")
    found = meaning(operations.SUBMIT, httpx.Response(status, content=body), error_mapping)
    assert found is errors.UncertainError


@given(st.sampled_from([*range(500, 600)]), st.binary(max_size=60), st.sampled_from([*DIALECTS.values()]))
def test_no_body_makes_a_5xx_certain(status: int, body: bytes, error_mapping: ErrorMapping) -> None:
    assert (
        meaning(operations.SUBMIT, httpx.Response(status, content=body), error_mapping)
        is errors.UncertainError
    )


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("error_mapping", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, errors.TransientError), (425, errors.TransientError), (401, errors.AuthError)],
)
def test_what_is_refused_at_the_door_did_not_get_in(
    error_mapping: ErrorMapping, body: bytes, status: int, kind: type[errors.GatewayError]
) -> None:
    assert meaning(operations.SUBMIT, httpx.Response(status, content=body), error_mapping) is kind


def test_firecrests_own_answer_states_that_nothing_was_done() -> None:
    assert meaning(operations.SUBMIT, OWN, V2) is errors.TransientError
    assert meaning(operations.SUBMIT, OWN, ANY) is errors.TransientError


def test_v1_has_no_5xx_with_that_meaning() -> None:
    own = httpx.Response(503, json={"description": "Failed to submit job", "error": "no"})
    assert meaning(operations.SUBMIT, own, V1) is errors.UncertainError


@pytest.mark.parametrize("missing", ["errorType", "message", "data", "user"])
def test_a_body_that_lacks_something_is_not_firecrests(missing: str) -> None:
    body = {"errorType": "error", "message": "unhealthy", "causedBy": None, "data": None, "user": "me"}
    assert V2.is_own(httpx.Response(503, json=body))
    del body[missing]
    assert not V2.is_own(httpx.Response(503, json=body))


@pytest.mark.parametrize("status", [408, 424, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "operation", [operations.LIST_JOBS, operations.UPLOAD, operations.CANCEL, operations.REMOVE]
)
def test_what_may_be_done_twice_is_simply_done_again(operation: operations.Operation, status: int) -> None:
    error = errors.UncertainError("x", status=status, own=False)
    assert policy.may_repeat(operation, error, 1)


def test_a_submission_behind_a_proxy_that_gives_up_is_sent_once() -> None:
    api = Api({SUBMIT: httpx.Response(503, content=BODIES["Envoy"])})

    async def work() -> None:
        gateway = make_gateway(api, retry_policy=FAST)
        try:
            await gateway.submit("/scratch/t/job.sh", "/scratch/t", None)
        finally:
            await gateway.close()

    with pytest.raises(errors.UncertainError):
        run(work())
    assert api.count(SUBMIT) == 1


def test_a_proxys_404_in_mid_run_does_not_say_that_a_job_is_unknown() -> None:
    lost = httpx.Response(404, text="default backend - 404")
    job = {"jobs": [{"jobId": "7", "status": {"state": "RUNNING"}}]}
    one = "GET /compute/jobs/7"
    api = Api({LIST: answer(200, {"jobs": []}), one: [lost, lost, answer(200, job)]})

    async def work() -> list[Any]:
        gateway = make_gateway(api)
        try:
            await gateway.jobs(0.0)
            return await gateway.job("7")
        finally:
            await gateway.close()

    assert [part.job_id for part in run(work())] == ["7"]
    assert api.count(one) == 3
