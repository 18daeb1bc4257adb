"""A credential that was accepted may be refused for a while; one that never was is wrong."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from reframe_firecrest.gateway.auth import authorization
from reframe_firecrest.gateway.auth.refusals import QUIET, Refusals
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.model import errors
from tests.gateway.helpers import FAST, KEY, Answer, Api, answer, make_gateway, run, token
from tests.gateway.v1.helpers import ApiV1
from tests.gateway.v1.helpers import call as call_v1

LIST = "GET /compute/jobs"
SUBMIT = "POST /compute/jobs"
JOBS = answer(200, {"jobs": []})
REFUSED = answer(401, "Access token is invalid.")
PATIENT = dataclasses.replace(FAST, refused=30.0)
BRIEF = dataclasses.replace(FAST, refused=0.05)


def ask(api: Api, *methods: str, retry_policy: RetryPolicy = PATIENT, **changes: object) -> None:
    """Make requests one after the other."""

    async def work() -> None:
        gateway = make_gateway(api, retry_policy=retry_policy, **changes)
        try:
            for method in methods:
                if method == "jobs":
                    await gateway.jobs(time.time())
                else:
                    await gateway.submit("/scratch/t/job.sh", "/scratch/t", None)
        finally:
            await gateway.close()

    run(work())


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("refusals", [2, 3, 10])
@pytest.mark.parametrize("key", [{}, {"auth": "api_key", "api_key": KEY}], ids=["token", "key"])
def test_refusals_in_mid_run_are_ridden_out_with_one_line(
    caplog: pytest.LogCaptureFixture, refusals: int, key: dict[str, Any]
) -> None:
    api = Api({LIST: [JOBS, *[REFUSED] * refusals, JOBS]})
    ask(api, "jobs", "jobs", **key)
    assert api.count(LIST) == refusals + 2
    [line] = warned(caplog)
    assert "refused; retrying for up to 30 s" in line
    assert "Access token is invalid" in line


def test_a_submission_that_is_refused_at_the_door_is_submitted_once() -> None:
    api = Api({LIST: JOBS, SUBMIT: [REFUSED, REFUSED, REFUSED, answer(201, {"jobId": 7})]})
    ask(api, "jobs", "submit")
    assert api.count(SUBMIT) == 4


def test_refusals_that_last_are_final_and_name_the_remedy() -> None:
    api = Api({LIST: [JOBS, REFUSED]})
    with pytest.raises(errors.AuthError, match=r"a renewed token is refused too; check FIRECREST_CLIENT_ID"):
        ask(api, "jobs", "jobs", retry_policy=BRIEF)
    assert api.count(LIST) > 3


@pytest.mark.parametrize("key", [{}, {"auth": "api_key", "api_key": KEY}], ids=["token", "key"])
def test_a_credential_that_was_never_accepted_is_refused_at_once(
    caplog: pytest.LogCaptureFixture, key: dict[str, Any]
) -> None:
    api = Api({LIST: REFUSED})
    with pytest.raises(errors.AuthError):
        ask(api, "jobs", retry_policy=RetryPolicy(), **key)
    assert api.count(LIST) == (1 if key else 2)
    assert warned(caplog) == []


def test_many_requests_that_are_refused_ask_for_few_tokens() -> None:
    api = Api({LIST: [JOBS, *[REFUSED] * 40, JOBS]})
    ask(api, "jobs", "jobs")
    # One for the first refusal; the next is used for a while, refused or not.
    assert api.tokens == 2


def test_a_token_that_is_refused_repeatedly_is_replaced_from_time_to_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authorization, "LEAST_USE", 0.0)

    def refuse_old(request: httpx.Request) -> httpx.Response:
        return REFUSED if request.headers["authorization"] in ("Bearer token-2", "Bearer token-3") else JOBS

    api = Api({LIST: [JOBS, REFUSED, refuse_old]})
    ask(api, "jobs", "jobs")
    assert api.tokens == 4


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_identity_provider_that_has_given_a_token_may_refuse_the_client_for_a_while(
    caplog: pytest.LogCaptureFixture, status: int
) -> None:
    given: list[Answer] = [
        token("first"),
        *[answer(status, {"error": "invalid_client"})] * 3,
        token("second"),
    ]

    def tokens(_request: httpx.Request) -> Any:
        return given.pop(0)

    api = Api({LIST: [JOBS, REFUSED, JOBS]}, tokens=tokens)
    ask(api, "jobs", "jobs")
    assert given == []
    assert len(warned(caplog)) == 1


@pytest.mark.parametrize("answers", [[httpx.Response(403, json={"message": "Forbidden"})] * 3])
def test_a_proxys_refusal_counts_like_the_gateways(answers: Sequence[Answer]) -> None:
    api = Api({LIST: [JOBS, *answers, JOBS]})
    ask(api, "jobs", "jobs")
    assert api.count(LIST) == 5


def test_what_a_user_may_not_do_is_no_refusal_of_who_he_is() -> None:
    denied = "Remote process failed with exit status:1 and error message:ls: Permission denied"
    api = Api({LIST: [JOBS, answer(403, denied)]})
    with pytest.raises(errors.ForbiddenError):
        ask(api, "jobs", "jobs")
    assert api.count(LIST) == 2


def test_v1s_refusals_are_ridden_out_as_well() -> None:
    expired = httpx.Response(401, json={"description": "JWT token has invalid signature"})
    stat = "GET /utilities/stat"
    api = ApiV1({stat: [answer(200, {}), expired, expired, expired, answer(200, {})]})

    def exists(gateway: Any) -> Any:
        return gateway.exists("/scratch/x")

    assert call_v1(api, exists, exists, retry_policy=PATIENT)
    assert api.count(stat) == 5


class TestTimes:
    ERROR = errors.AuthError("no", status=401)

    def test_successes_of_others_give_a_request_no_more_time(self) -> None:
        refusals = Refusals(100.0)
        refusals.accepted()
        begun = time.monotonic() - 99.0
        assert refusals.may_retry(self.ERROR, begun, 0.5)
        refusals.accepted()
        assert not refusals.may_retry(self.ERROR, begun, 2.0)

    def test_once_it_is_over_new_requests_have_no_time_of_their_own(self) -> None:
        refusals = Refusals(100.0)
        refusals.accepted()
        assert not refusals.may_retry(self.ERROR, time.monotonic() - 101.0, 0.5)
        assert not refusals.may_retry(self.ERROR, time.monotonic(), 0.5)

    def test_a_refusal_long_ago_is_another_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refusals = Refusals(100.0)
        refusals.accepted()
        now = time.monotonic()
        assert refusals.may_retry(self.ERROR, now, 0.5)
        monkeypatch.setattr(time, "monotonic", lambda: now + 200.0 + QUIET)
        assert refusals.may_retry(self.ERROR, now + 200.0 + QUIET, 0.5)

    def test_a_request_that_is_refused_beside_others_warns_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        refusals = Refusals(100.0)
        for _ in range(5):
            refusals.accepted()
            assert refusals.may_retry(self.ERROR, time.monotonic(), 0.5)
        assert len(warned(caplog)) == 1
