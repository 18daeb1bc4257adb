from __future__ import annotations

import asyncio
import dataclasses
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from reframe_firecrest.gateway.http import error_translation, operations, policy
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.v2 import transfer_jobs, transfers
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.gateway.v2.job_list import time_window
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import Archive
from reframe_firecrest.model.slurm_job import JobPart
from tests.gateway.helpers import (
    FAST,
    SECRET,
    SIGNATURE,
    TOKEN,
    Answer,
    Api,
    Follower,
    answer,
    finished,
    following,
    make_gateway,
    make_settings,
    never,
    page,
    part,
    run,
    token,
)

SYSTEMS = {
    "systems": [
        {
            "name": "daint",
            "scheduler": {"version": "23.02.7"},
            "dataOperation": {"max_ops_file_size": 1000},
        },
        {"name": "eiger"},
    ]
}
TRANSFER = {
    "transferJob": {"jobId": "77", "logs": {"errorLog": "/home/me/f7t_error.log"}},
    "transferDirectives": {
        "partsUploadUrls": [f"http://s3.test/part?{SIGNATURE}"],
        "completeUploadUrl": f"http://s3.test/complete?{SIGNATURE}",
        "downloadUrl": f"http://s3.test/object?{SIGNATURE}",
        "maxPartSize": 1 << 20,
    },
}
JOBS = {"jobs": [{"jobId": "7", "status": {"state": "RUNNING"}}]}


def stored(_request: httpx.Request) -> httpx.Response:
    content = b"from the storage"
    headers = {"Content-Length": str(len(content))}
    return httpx.Response(200, headers=headers, stream=httpx.ByteStream(content))


S3: dict[str, Answer] = {
    "PUT /part": httpx.Response(200, headers={"ETag": '"1"'}),
    "POST /complete": httpx.Response(200, text="<CompleteMultipartUploadResult/>"),
    "GET /object": stored,
}

UPLOAD = "POST /filesystem/ops/upload"
DOWNLOAD = "GET /filesystem/ops/download"
COMPRESS = "POST /filesystem/ops/compress"
EXTRACT = "POST /filesystem/ops/extract"
SUBMIT = "POST /compute/jobs"
LIST = "GET /compute/jobs"
CONNECT = "GET /status/systems"

STAT = "GET /filesystem/ops/stat"
TOO_LONG = answer(408, "Command execution timeout limit exceeded.")


def call(
    api: Api,
    *methods: Callable[[GatewayV2], Awaitable[Any]],
    gateway: GatewayV2 | None = None,
    retry_policy: RetryPolicy = FAST,
) -> Any:
    """Connect, if the table has an answer to that, then call methods; return what the last one returned."""
    made = gateway or make_gateway(api, retry_policy=retry_policy)

    async def work() -> Any:
        result = None
        try:
            for method in methods:
                result = await method(made)
        finally:
            await made.close()
        return result

    return run(work())


def connect(gateway: GatewayV2) -> Awaitable[Any]:
    return gateway.connect()


def there(size: int) -> httpx.Response:
    return answer(200, {"output": {"size": size}})


def submit(gateway: GatewayV2) -> Awaitable[str]:
    return gateway.submit("/scratch/t/job.sh", "/scratch/t", None)


def list_jobs(gateway: GatewayV2) -> Awaitable[Any]:
    return gateway.jobs(time.time())


def fails(
    kind: type[errors.GatewayError],
    api: Api,
    *methods: Callable[[GatewayV2], Awaitable[Any]],
    retry_policy: RetryPolicy = FAST,
    gateway: GatewayV2 | None = None,
) -> str:
    """Return the one line with which the last method fails; no secret is in it or in a traceback."""
    with pytest.raises(errors.GatewayError) as caught:
        call(api, *methods, retry_policy=retry_policy, gateway=gateway)
    assert type(caught.value) is kind, repr(caught.value)
    line = str(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "\n" not in line
    for secret in (SECRET, TOKEN, SIGNATURE, "token-1"):
        assert secret not in shown
    return line


class TestConnecting:
    def test_the_system_is_reported_with_its_limits(self) -> None:
        info = call(Api({CONNECT: answer(200, SYSTEMS)}), connect)
        assert info.name == "daint"
        found = info.capabilities
        assert (found.scheduler_version, found.max_direct_upload) == ((23, 2, 7), 1000)

    def test_where_a_gateway_reports_no_limit_firecrests_default_holds(self) -> None:
        api = Api({CONNECT: answer(200, {"systems": [{"name": "daint"}]})})
        assert call(api, connect).capabilities.max_direct_upload == 5 * 1024 * 1024

    def test_an_unknown_system_is_reported_with_the_known_ones(self) -> None:
        api = Api({CONNECT: answer(200, {"systems": [{"name": "eiger"}, {"name": "clariden"}]})})
        line = fails(errors.NotFoundError, api, connect)
        assert "no system 'daint'; it has: clariden, eiger; check FIRECREST_SYSTEM" in line

    def test_a_similar_system_is_suggested(self) -> None:
        api = Api({CONNECT: answer(200, {"systems": [{"name": "daint2"}]})})
        assert "no system 'daint' (did you mean 'daint2'?); it has" in fails(
            errors.NotFoundError, api, connect
        )

    def test_a_wrong_url_is_reported_with_its_variable(self) -> None:
        line = fails(errors.NotFoundError, Api({CONNECT: httpx.Response(404, text="<html>")}), connect)
        assert "check FIRECREST_URL" in line

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (httpx.Response(200, text="<html>Welcome</html>"), errors.ForeignAnswerError),
            (
                httpx.Response(301, headers={"location": "https://elsewhere.test"}),
                errors.ForeignAnswerError,
            ),
            (answer(200, {"system": []}), errors.ProtocolError),
            (answer(200, {"systems": [{"title": "daint"}]}), errors.ProtocolError),
            (answer(200, []), errors.ProtocolError),
            (httpx.Response(200, content=b"\xff\xfe"), errors.ForeignAnswerError),
        ],
    )
    def test_something_else_than_firecrest_is_reported_as_such(
        self, reply: httpx.Response, kind: type[errors.GatewayError]
    ) -> None:
        api = Api({CONNECT: reply})
        assert "check FIRECREST_URL" in fails(kind, api, connect)
        assert len(api.seen) == policy.UNCERTAIN_REPEATS

    @pytest.mark.parametrize(
        "accident",
        [httpx.Response(200, text="<html>Log in</html>"), httpx.Response(200, text='{"systems": [{"na')],
    )
    def test_an_answer_of_something_in_between_is_an_accident(self, accident: httpx.Response) -> None:
        assert call(Api({CONNECT: [accident, answer(200, SYSTEMS)]}), connect).name == "daint"

    def test_something_in_between_is_ridden_out_where_firecrest_has_been(self) -> None:
        page = httpx.Response(200, text="<html>Back soon</html>")
        api = Api({CONNECT: answer(200, SYSTEMS), LIST: [*[page] * 20, answer(200, JOBS)]})
        assert call(api, connect, list_jobs)

    @pytest.mark.parametrize("accident", [httpx.Response(200, text="<html>Log in</html>"), answer(503)])
    def test_a_token_that_did_not_come_is_asked_for_again(self, accident: httpx.Response) -> None:
        replies = [accident, token()]
        api = Api({CONNECT: answer(200, SYSTEMS)}, tokens=lambda _: replies.pop(0))
        assert call(api, connect).name == "daint"

    def test_a_wrong_secret_is_reported_soon_with_its_variables(self) -> None:
        api = Api({}, tokens=answer(401, {"error_description": f"wrong secret {SECRET}"}))
        line = fails(errors.AuthError, api, connect, retry_policy=RetryPolicy())
        assert "FIRECREST_CLIENT_SECRET" in line
        assert api.tokens == policy.REFUSALS

    def test_a_client_that_the_gateway_does_not_know_is_reported_at_once(self) -> None:
        api = Api({CONNECT: answer(401, "Access token is invalid.")})
        line = fails(errors.AuthError, api, connect, retry_policy=RetryPolicy())
        assert "Access token is invalid; a renewed token is refused too; check FIRECREST_CLIENT_ID" in line
        assert len(api.seen) == 2

    def test_a_dead_gateway_is_reported_soon(self) -> None:
        api = Api({CONNECT: httpx.ConnectError("refused")})
        retry_policy = RetryPolicy(first_contact=0.5, outage=1000, pause=0.001, pause_max=0.002)
        line = fails(errors.TransientError, api, connect, retry_policy=retry_policy)
        assert "can't be reached" in line
        assert len(api.seen) > 1

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_a_proxy_that_answers_for_a_dead_gateway_is_reported_soon_too(self, status: int) -> None:
        api = Api({CONNECT: httpx.Response(status, text="<html>")})
        retry_policy = RetryPolicy(first_contact=0.5, outage=1000, pause=0.001, pause_max=0.002)
        with pytest.raises(errors.GatewayError, match=f"HTTP {status}"):
            call(api, connect, retry_policy=retry_policy)

    def test_a_gateway_that_takes_a_request_and_never_answers_is_reported_soon_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert operations.CONNECT.timeout < 15
        monkeypatch.setattr(operations, "CONNECT", dataclasses.replace(operations.CONNECT, timeout=1.1))
        api = Api({CONNECT: never})
        assert "no answer within" in fails(errors.UncertainError, api, connect)
        assert api.count(CONNECT) == 1

    def test_a_dead_identity_provider_is_reported_soon(self) -> None:
        api = Api({CONNECT: answer(200, SYSTEMS)}, tokens=httpx.ConnectError("refused"))
        retry_policy = RetryPolicy(first_contact=0.5, outage=1000, pause=0.001, pause_max=0.002)
        assert "identity provider" in fails(errors.TransientError, api, connect, retry_policy=retry_policy)
        assert api.tokens > 1
        assert api.seen == []

    def test_nodes_partitions_and_reservations_that_make_no_sense_are_an_error_of_the_gateway(self) -> None:
        senseless: dict[str, Answer] = {
            f"GET /status/{what}": answer(200, {what: 7}) for what in ("nodes", "partitions", "reservations")
        }
        fails(errors.ProtocolError, Api(senseless), lambda gateway: gateway.cluster())


class TestOutages:
    def test_once_it_has_answered_an_outage_is_ridden_out(self) -> None:
        down: list[Answer] = [httpx.ConnectError("refused"), answer(502)] * 10
        api = Api({CONNECT: answer(200, SYSTEMS), LIST: [*down, answer(200, JOBS)]})
        retry_policy = RetryPolicy(first_contact=1.0, outage=30, pause=0.001, pause_max=0.002)
        assert len(call(api, connect, list_jobs, retry_policy=retry_policy)) == 1
        assert api.count(LIST) == 21

    def test_a_connection_of_the_gateways_that_is_used_up_is_left_alone_until_it_is_a_new_one(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        rest = 1.0
        monkeypatch.setattr(policy, "EXHAUSTED_AFTER", 0.1)
        monkeypatch.setattr(policy, "COOLDOWN", rest)
        last = time.monotonic()

        def listing(_request: httpx.Request) -> httpx.Response:
            nonlocal last
            quiet, last = time.monotonic() - last, time.monotonic()
            if quiet > 0.9 * rest:
                return answer(200, JOBS)
            return answer(500, "Error executing Slurm command. Unable to open a new SSH channel.")

        api = Api({CONNECT: answer(200, SYSTEMS), LIST: listing})
        retry_policy = RetryPolicy(first_contact=1.0, outage=30, pause=0.03, pause_max=0.03)
        assert len(call(api, connect, list_jobs, retry_policy=retry_policy)) == 1
        reported = [record.getMessage() for record in caplog.records if "exhausted" in record.getMessage()]
        assert len(reported) == 1

    def test_but_not_for_ever(self) -> None:
        api = Api({CONNECT: answer(200, SYSTEMS), LIST: httpx.ConnectError("refused")})
        retry_policy = RetryPolicy(first_contact=10, outage=0.02, pause=0.001, pause_max=0.002)
        assert "can't be reached" in fails(
            errors.TransientError, api, connect, list_jobs, retry_policy=retry_policy
        )

    @pytest.mark.parametrize("status", [424, 429, 503])
    @pytest.mark.parametrize("method", [submit, list_jobs])
    def test_what_did_nothing_is_repeated_whatever_it_was(
        self, status: int, method: Callable[[GatewayV2], Awaitable[Any]]
    ) -> None:
        busy = answer(status, policy.NO_CHANNEL)
        api = Api({SUBMIT: [busy, busy, answer(201, {"jobId": 7})], LIST: [busy, busy, answer(200, JOBS)]})
        call(api, method)
        assert len(api.seen) == 3

    def test_the_gateway_is_not_asked_sooner_than_it_wants(self) -> None:
        asked: list[float] = []

        def refuse(_request: httpx.Request) -> httpx.Response:
            asked.append(time.monotonic())
            return answer(429, "slow down", retry_after="1")

        def answer_well(_request: httpx.Request) -> httpx.Response:
            asked.append(time.monotonic())
            return answer(200, JOBS)

        call(Api({LIST: [refuse, answer_well]}), list_jobs, retry_policy=RetryPolicy())
        first, second = asked
        assert 1 <= second - first < 5

    def test_an_internal_error_that_stays_is_reported_after_a_few_times(self) -> None:
        api = Api({LIST: answer(500, "Error executing Slurm command.")})
        assert "Error executing Slurm command." in fails(errors.UncertainError, api, list_jobs)
        assert api.count(LIST) == policy.UNCERTAIN_REPEATS

    def test_a_request_that_is_never_answered_is_given_up_and_repeated(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(operations, "LIST_JOBS", dataclasses.replace(operations.LIST_JOBS, timeout=0.05))
        api = Api({CONNECT: answer(200, SYSTEMS), LIST: [never, answer(200, JOBS)]})
        assert len(call(api, connect, list_jobs)) == 1
        assert api.count(LIST) == 2

    def test_no_more_requests_are_open_at_a_time_than_set(self) -> None:
        async def slowly(_request: httpx.Request) -> httpx.Response:
            for _ in range(5):
                await asyncio.sleep(0)
            return answer(200, JOBS)

        api = Api({LIST: slowly})
        gateway = make_gateway(api, max_in_flight=3)

        async def many(gateway: GatewayV2) -> None:
            await asyncio.gather(*(list_jobs(gateway) for _ in range(20)))

        call(api, many, gateway=gateway)
        assert api.most_in_flight == 3
        assert gateway.stats()["most_in_flight"] == 3
        assert gateway.stats()["requests"] == 21


class TestTokens:
    REFUSED = answer(401, "Access token expires too soon (less than 30s remaining).")

    def test_a_token_refused_in_mid_run_is_renewed_once_and_the_request_repeated(self) -> None:
        api = Api({CONNECT: answer(200, SYSTEMS), LIST: [self.REFUSED, answer(200, JOBS)]})
        call(api, connect, list_jobs)
        sent = [request.headers["authorization"] for request in api.requests]
        assert sent == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]

    def test_a_submit_is_repeated_too_since_it_was_refused_at_the_door(self) -> None:
        api = Api({CONNECT: answer(200, SYSTEMS), SUBMIT: [self.REFUSED, answer(201, {"jobId": 7})]})
        assert call(api, connect, submit) == "7"

    def test_a_second_refusal_is_an_error(self) -> None:
        api = Api({CONNECT: answer(200, SYSTEMS), LIST: self.REFUSED})
        retry_policy = dataclasses.replace(FAST, refused=0.0)
        assert "expires too soon" in fails(
            errors.AuthError, api, connect, list_jobs, retry_policy=retry_policy
        )
        assert api.count(LIST) == 2
        assert api.tokens == 2

    def test_many_requests_refused_at_once_bring_one_new_token(self) -> None:
        arrived = asyncio.Event()
        waiting = 0

        async def refuse_the_first(request: httpx.Request) -> httpx.Response:
            nonlocal waiting
            if request.headers["authorization"] != "Bearer token-1":
                return answer(200, JOBS)
            waiting += 1
            if waiting == 8:
                arrived.set()
            await arrived.wait()
            return self.REFUSED

        async def many(gateway: GatewayV2) -> None:
            await asyncio.gather(*(list_jobs(gateway) for _ in range(8)))

        api = Api({CONNECT: answer(200, SYSTEMS), LIST: refuse_the_first})
        call(api, connect, many)
        assert api.tokens == 2

    def test_a_provider_that_is_down_for_a_moment_in_mid_run_is_waited_for(self) -> None:
        given = [answer(429), answer(503), token()]

        def tokens(_request: httpx.Request) -> httpx.Response:
            return given.pop(0)

        api = Api({SUBMIT: answer(201, {"jobId": 7})}, tokens=tokens)
        assert call(api, submit) == "7"
        assert api.count(SUBMIT) == 1


class TestSubmitting:
    def test_the_script_is_named_with_its_directory_and_account(self) -> None:
        api = Api({SUBMIT: answer(201, {"jobId": 4711})})
        assert call(api, lambda gateway: gateway.submit("/s/t/job.sh", "/s/t", "g1")) == "4711"
        assert api.body() == {
            "job": {"working_directory": "/s/t", "scriptPath": "/s/t/job.sh", "account": "g1"}
        }

    def test_without_an_account_none_is_sent(self) -> None:
        api = Api({SUBMIT: answer(201, {"jobId": "7"})})
        call(api, submit)
        assert "account" not in api.body()["job"]

    @pytest.mark.parametrize(
        "outcome",
        [
            answer(504),
            httpx.ReadError("reset"),
            httpx.ReadTimeout("slow"),
            answer(201, {}),
            answer(201, {"jobId": None}),
            answer(201, ["7"]),
            httpx.Response(201, text="<html>"),
            httpx.Response(200, text="<html>"),
            answer(408, "Command execution timed out"),
        ],
    )
    def test_what_may_have_been_queued_is_sent_once_and_called_uncertain(self, outcome: Answer) -> None:
        api = Api({SUBMIT: outcome})
        fails(errors.UncertainError, api, submit)
        assert api.count(SUBMIT) == 1

    def test_while_the_controller_is_away_a_submit_is_left_to_those_who_can_look_for_the_job(self) -> None:
        api = Api({SUBMIT: answer(500, "('Channel not open for sending',)")})
        fails(errors.OutageError, api, submit)
        assert api.count(SUBMIT) == 1

    def test_a_submit_without_an_answer_is_uncertain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(operations, "SUBMIT", dataclasses.replace(operations.SUBMIT, timeout=0.05))
        api = Api({SUBMIT: never})
        assert "no answer within" in fails(errors.UncertainError, api, submit)
        assert api.count(SUBMIT) == 1

    def test_a_submit_that_never_left_is_repeated(self) -> None:
        api = Api({SUBMIT: [httpx.ConnectError("refused"), answer(201, {"jobId": 7})]})
        assert call(api, submit) == "7"

    def test_the_message_of_sbatch_is_reported(self) -> None:
        said = (
            "Unexpected Slurm command response. exit_status:1 std_err:"
            "sbatch: error: Batch job submission failed: Invalid qos specification\n"
        )
        api = Api({SUBMIT: answer(500, said)})
        line = fails(errors.RejectedError, api, submit)
        assert line.endswith("failed: sbatch: error: Batch job submission failed: Invalid qos specification")
        assert api.count(SUBMIT) == 1


class TestLookingAtJobs:
    @pytest.mark.parametrize(
        ("age", "window"),
        [
            (0, "1h"),
            (3000, "1h"),
            (3500, "8h"),
            (7 * 3600, "8h"),
            (8 * 3600, "24h"),
            (23 * 3600, "24h"),
            (24 * 3600, "3d"),
            (71 * 3600, "3d"),
            (72 * 3600, "7d"),
            (30 * 86400, "7d"),
            (-5, "1h"),
        ],
    )
    def test_the_narrowest_window_that_reaches_back_far_enough_is_asked_for(
        self, age: float, window: str
    ) -> None:
        assert time_window(age) == window

    def test_one_request_lists_all_jobs_in_that_window(self) -> None:
        api = Api({LIST: answer(200, JOBS)})
        (job,) = call(api, lambda gateway: gateway.jobs(time.time() - 5 * 3600))
        assert (job.job_id, job.state) == ("7", "RUNNING")
        assert dict(api.requests[0].url.params) == {"time_window": "8h"}

    @pytest.mark.parametrize(
        ("names", "asked"),
        [
            (["rfm_a", "rfm_b", "rfm_a"], "rfm_a,rfm_b"),
            (["rfm_" + "x" * 100, "rfm_" + "y" * 100], "rfm_" + "x" * 100 + ",rfm_" + "y" * 100),
            (["rfm_" + letter * 200 for letter in "abcd"], None),
            (["with,comma"], None),
            ([], None),
        ],
    )
    def test_few_jobs_are_listed_by_name(self, names: list[str], asked: str | None) -> None:
        api = Api({LIST: answer(200, JOBS)})
        call(api, lambda gateway: gateway.jobs(time.time(), names))
        assert api.requests[0].url.params.get("name") == asked

    def test_a_job_that_slurm_does_not_know_has_no_parts(self) -> None:
        api = Api({f"{LIST}/7": answer(404, "Job not found.")})
        assert call(api, lambda gateway: gateway.job("7")) == []

    def test_single_questions_take_few_of_the_gateways_sessions(self) -> None:
        async def slowly(_request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0)
            return answer(200, JOBS)

        async def many(gateway: GatewayV2) -> None:
            await asyncio.gather(*(gateway.job("7") for _ in range(10)))

        api = Api({f"{LIST}/7": slowly})
        call(api, many)
        # Each takes two of ten sessions.
        assert api.most_in_flight == 4

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (httpx.Response(200, text="<html>"), errors.ForeignAnswerError),
            (answer(200, {"jobs": "7"}), errors.ProtocolError),
            (answer(200, {"jobs": [{"jobId": "7"}]}), errors.ProtocolError),
            (answer(200, [1]), errors.ProtocolError),
            (answer(204), errors.ForeignAnswerError),
        ],
    )
    def test_a_list_that_makes_no_sense_is_reported_as_such(
        self, reply: httpx.Response, kind: type[errors.GatewayError]
    ) -> None:
        fails(kind, Api({LIST: reply}), list_jobs)


class TestCancelling:
    SCANCEL = (
        "Unexpected Slurm command response. exit_status:0 std_err:"
        "scancel: error: Kill job error on job id 7: "
    )

    def test_a_job_is_cancelled(self) -> None:
        api = Api({"DELETE /compute/jobs/7": answer(204)})
        call(api, lambda gateway: gateway.cancel("7"))
        assert len(api.seen) == 1

    @pytest.mark.parametrize(
        "reason", ["Job/step already completing or completed", "Invalid job id specified"]
    )
    def test_a_job_that_has_ended_is_fine_after_one_request(self, reason: str) -> None:
        api = Api({"DELETE /compute/jobs/7": answer(500, f"{self.SCANCEL}{reason}\n")})
        call(api, lambda gateway: gateway.cancel("7"))
        assert len(api.seen) == 1

    def test_any_other_refusal_is_reported(self) -> None:
        api = Api({"DELETE /compute/jobs/7": answer(403, "Access/permission denied")})
        line = fails(errors.ForbiddenError, api, lambda gateway: gateway.cancel("7"))
        assert "Access/permission denied" in line


class TestUploading:
    @pytest.fixture
    def small(self, tmp_path: Path) -> Path:
        path = tmp_path / "small.tgz"
        path.write_bytes(b"x" * 1000)
        return path

    @pytest.fixture
    def large(self, tmp_path: Path) -> Path:
        path = tmp_path / "large.tgz"
        path.write_bytes(b"x" * 1001)
        return path

    @staticmethod
    def upload(path: Path) -> Callable[[GatewayV2], Awaitable[str]]:
        return lambda gateway: gateway.upload(path, "/scratch/run/in.tgz")

    def test_what_the_gateways_own_limit_allows_goes_directly(self, small: Path) -> None:
        api = Api({CONNECT: answer(200, SYSTEMS), UPLOAD: answer(204)})
        call(api, connect, self.upload(small))
        sent = api.requests[-1]
        assert sent.url.params["path"] == "/scratch/run"
        assert b'filename="in.tgz"' in sent.content
        assert b"x" * 1000 in sent.content

    def test_one_byte_more_goes_through_the_storage_and_a_transfer_job(self, large: Path) -> None:
        api = Api(
            {
                CONNECT: answer(200, SYSTEMS),
                "POST /filesystem/transfer/upload": answer(201, TRANSFER),
                **S3,
                STAT: there(1001),
            }
        )
        asked, follower = finished()
        settings = make_settings(account="g1")
        gateway = following(GatewayV2(Connection(settings, FAST, httpx.MockTransport(api))), follower)
        call(api, connect, self.upload(large), gateway=gateway)
        assert api.seen[1:] == ["POST /filesystem/transfer/upload", "PUT /part", "POST /complete", STAT]
        assert dict(api.requests[-1].url.params) == {"path": "/scratch/run/in.tgz"}
        assert api.body(1) == {
            "path": "/scratch/run/in.tgz",
            "transfer_directives": {"file_size": 1001, "transfer_method": "s3"},
            "account": "g1",
        }
        assert asked == ["77"]

    @pytest.mark.parametrize("refusal", [httpx.Response(413, text="<html>nginx"), TOO_LONG])
    def test_what_a_proxy_or_a_slow_disk_refuses_goes_through_the_storage(
        self, small: Path, refusal: httpx.Response
    ) -> None:
        opened = {"POST /filesystem/transfer/upload": answer(201, TRANSFER)}
        api = Api({UPLOAD: refusal, **opened, **S3, STAT: there(1000)})
        call(api, self.upload(small))
        assert api.seen[-2:] == ["POST /complete", STAT]

    def test_a_storage_that_is_busy_is_tried_again(self, large: Path) -> None:
        parts: list[Answer] = [
            httpx.Response(503, text="SlowDown"),
            httpx.Response(200, headers={"ETag": '"1"'}),
        ]
        table = {"POST /filesystem/transfer/upload": answer(201, TRANSFER), **S3, "PUT /part": parts}
        api = Api({CONNECT: answer(200, SYSTEMS), **table, STAT: there(1001)})
        call(api, connect, self.upload(large))
        assert api.count("PUT /part") == 2

    @pytest.mark.parametrize("cancelled", [answer(204), answer(403, "no"), answer(500, "oops")])
    def test_a_storage_that_refuses_is_reported_without_its_urls_and_nothing_waits_for_the_file(
        self, large: Path, cancelled: httpx.Response
    ) -> None:
        table = {
            "POST /filesystem/transfer/upload": answer(201, TRANSFER),
            **S3,
            "PUT /part": httpx.Response(403),
            "DELETE /compute/jobs/77": cancelled,
        }
        api = Api({CONNECT: answer(200, SYSTEMS), **table})
        line = fails(errors.ForbiddenError, api, connect, self.upload(large))
        assert "the S3 storage answers HTTP 403" in line
        assert api.count("PUT /part") == transfers.TRANSFERS
        assert api.count("DELETE /compute/jobs/77") >= transfers.TRANSFERS

    def test_a_storage_that_cannot_be_reached_is_named_without_its_url(self, large: Path) -> None:
        def unreachable(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        opened = {"POST /filesystem/transfer/upload": answer(201, TRANSFER)}
        table = {**opened, **S3, "PUT /part": unreachable, "DELETE /compute/jobs/77": answer(204)}
        api = Api({CONNECT: answer(200, SYSTEMS), **table})
        assert "s3.test can't be reached" in fails(errors.TransientError, api, connect, self.upload(large))

    @pytest.mark.parametrize(
        ("found", "said"),
        [(there(0), "in.tgz has 0 bytes"), (answer(404, "No such file or directory"), "in.tgz is missing")],
    )
    def test_a_job_that_claims_to_have_written_the_file_is_not_believed(
        self, large: Path, monkeypatch: pytest.MonkeyPatch, found: httpx.Response, said: str
    ) -> None:
        monkeypatch.setattr(transfer_jobs, "TRANSFER_POLL_PAUSES", (0.0, 0.001))
        table = {"POST /filesystem/transfer/upload": answer(201, TRANSFER), **S3, STAT: found}
        api = Api({CONNECT: answer(200, SYSTEMS), **table})
        line = fails(errors.RejectedError, api, connect, self.upload(large))
        assert f"{said}, although transfer job 77 reports success" in line
        assert "/home/me/f7t_error.log" in line
        assert api.count(STAT) == 2

    def test_a_file_that_is_seen_a_little_later_is_there(
        self, large: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transfer_jobs, "TRANSFER_POLL_PAUSES", (0.0, 0.001, 0.001))
        looks = [answer(404, "No such file or directory"), there(10), there(1001)]
        table = {"POST /filesystem/transfer/upload": answer(201, TRANSFER), **S3, STAT: looks}
        api = Api({CONNECT: answer(200, SYSTEMS), **table})
        call(api, connect, self.upload(large))
        assert api.count(STAT) == 3

    def test_progress_is_reported(self, large: Path) -> None:
        reported: list[tuple[int, int]] = []
        table = {"POST /filesystem/transfer/upload": answer(201, TRANSFER), **S3, STAT: there(1001)}
        api = Api({CONNECT: answer(200, SYSTEMS), **table})
        call(api, connect, lambda gateway: gateway.upload(large, "/x", lambda *state: reported.append(state)))
        assert reported == [(1001, 1001)]

    def test_a_transfer_job_that_fails_is_reported_with_its_log(self, large: Path) -> None:
        table = {"POST /filesystem/transfer/upload": answer(201, TRANSFER), **S3}
        api = Api({CONNECT: answer(200, SYSTEMS), **table})
        gateway = make_gateway(api, part(state="FAILED", exit_code=70))
        line = fails(errors.RejectedError, api, connect, self.upload(large), gateway=gateway)
        assert "transfer job 77 ended as FAILED with exit code 70" in line
        assert "/home/me/f7t_error.log" in line

    @pytest.mark.parametrize(
        "opened", [{}, {"transferJob": {}}, {"transferJob": {"jobId": "7"}, "transferDirectives": {}}, []]
    )
    def test_a_transfer_that_is_not_described_is_reported_as_such(self, large: Path, opened: object) -> None:
        table = {"POST /filesystem/transfer/upload": answer(201, opened), LIST: answer(200, {"jobs": []})}
        api = Api({CONNECT: answer(200, SYSTEMS), **table})
        fails(errors.ProtocolError, api, connect, self.upload(large))


class TestDownloading:
    @staticmethod
    def download(path: Path, size_hint: int = 100) -> Callable[[GatewayV2], Awaitable[None]]:
        return lambda gateway: gateway.download("/scratch/run/out.tgz", path, size_hint=size_hint)

    def test_what_is_small_comes_directly(self, tmp_path: Path) -> None:
        api = Api({DOWNLOAD: httpx.Response(200, content=b"direct")})
        call(api, self.download(tmp_path / "out"))
        assert (tmp_path / "out").read_bytes() == b"direct"
        assert dict(api.requests[0].url.params) == {"path": "/scratch/run/out.tgz"}

    @pytest.mark.parametrize("refusal", [answer(413, "Command output exceeded buffer limit."), TOO_LONG])
    def test_what_turns_out_to_be_too_large_comes_through_the_storage(
        self, tmp_path: Path, refusal: httpx.Response
    ) -> None:
        api = Api({DOWNLOAD: refusal, "POST /filesystem/transfer/download": answer(201, TRANSFER), **S3})
        call(api, self.download(tmp_path / "out"))
        assert (tmp_path / "out").read_bytes() == b"from the storage"
        assert api.count(DOWNLOAD) == 1

    def test_what_is_known_to_be_large_is_not_even_tried_directly(self, tmp_path: Path) -> None:
        api = Api({"POST /filesystem/transfer/download": answer(201, TRANSFER), **S3})
        asked, follower = finished()
        gateway = following(GatewayV2(Connection(make_settings(), FAST, httpx.MockTransport(api))), follower)
        call(api, self.download(tmp_path / "out", size_hint=100_000_000), gateway=gateway)
        assert api.count(DOWNLOAD) == 0
        assert asked == ["77"]

    def test_progress_is_reported(self, tmp_path: Path) -> None:
        reported: list[tuple[int, int]] = []
        api = Api({"POST /filesystem/transfer/download": answer(201, TRANSFER), **S3})
        call(
            api,
            lambda gateway: gateway.download(
                "/x", tmp_path / "out", size_hint=10**9, progress=lambda *state: reported.append(state)
            ),
        )
        assert reported[-1] == (16, 16)

    @pytest.mark.parametrize("size_hint", [100, 100_000_000])
    def test_what_does_not_come_leaves_nothing(self, tmp_path: Path, size_hint: int) -> None:
        table = {
            DOWNLOAD: answer(404, "No such file"),
            "POST /filesystem/transfer/download": answer(201, TRANSFER),
            "GET /object": httpx.Response(404),
        }
        fails(errors.NotFoundError, Api(table), self.download(tmp_path / "out", size_hint))
        assert not list(tmp_path.iterdir())

    def test_a_url_that_has_expired_is_reported_without_it(self, tmp_path: Path) -> None:
        table = {
            "POST /filesystem/transfer/download": answer(201, TRANSFER),
            "GET /object": httpx.Response(403),
        }
        line = fails(errors.ForbiddenError, Api(table), self.download(tmp_path / "out", 100_000_000))
        assert "s3.test" not in line

    def test_a_transfer_without_a_url_is_reported_as_such(self, tmp_path: Path) -> None:
        opened = {"transferJob": {"jobId": "7"}}
        table = {
            "POST /filesystem/transfer/download": answer(201, opened),
            LIST: answer(200, {"jobs": []}),
        }
        api = Api(table)
        fails(errors.ProtocolError, api, self.download(tmp_path / "out", 100_000_000))


class TestArchives:
    def test_an_archive_is_unpacked_where_it_belongs(self) -> None:
        api = Api({EXTRACT: answer(204)})
        call(api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"))
        assert api.body() == {
            "source_path": "/scratch/in.tgz",
            "target_path": "/scratch/run",
            "compression": "gzip",
        }

    def test_what_takes_too_long_to_unpack_becomes_a_transfer_job(self) -> None:
        api = Api(
            {
                EXTRACT: TOO_LONG,
                "POST /filesystem/transfer/extract": answer(201, TRANSFER),
                DOWNLOAD: httpx.Response(200, content=b""),
            }
        )
        asked, follower = finished()
        connection = Connection(make_settings(account="g1"), FAST, httpx.MockTransport(api))
        gateway = following(GatewayV2(connection), follower)
        call(api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"), gateway=gateway)
        assert asked == ["77"]
        assert api.body(1)["account"] == "g1"
        assert api.requests[-1].url.params["path"] == "/home/me/f7t_error.log"

    @pytest.mark.parametrize(
        ("said", "kind", "reported"),
        [
            (
                "tar: d/big: Cannot write: No space left on device\ntar: Exiting with failure status\n",
                errors.NoSpaceError,
                f"{error_translation.FULL}: tar: d/big: Cannot write: No space left on device tar: Exiting",
            ),
            ("tar: a: Cannot open: File exists\n", errors.RejectedError, "tar: a: Cannot open: File exists"),
        ],
    )
    def test_a_transfer_job_that_fails_is_known_by_its_log(
        self, said: str, kind: type[errors.GatewayError], reported: str
    ) -> None:
        # As a real gateway's job with a full disk wrote it; its state was COMPLETED, its exit code 0.
        log = f"{said}Wed Nov 25 20:35:50 UTC 2026 Unable to extract files exit code:0 error: \n"
        api = Api(
            {
                EXTRACT: TOO_LONG,
                "POST /filesystem/transfer/extract": answer(201, TRANSFER),
                DOWNLOAD: httpx.Response(200, content=log.encode()),
            }
        )
        line = fails(kind, api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"))
        assert line.startswith("unpacking a large archive on ")
        assert f" failed: {reported}" in line

    def test_a_web_page_is_no_log_of_a_transfer_job(self) -> None:
        log = b"tar: a: Cannot open: File exists\nWed Nov 25 20:35:50 Unable to extract files exit code:0\n"
        api = Api(
            {
                EXTRACT: TOO_LONG,
                "POST /filesystem/transfer/extract": answer(201, TRANSFER),
                DOWNLOAD: [page(), httpx.Response(200, content=log)],
            }
        )
        line = fails(
            errors.RejectedError, api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run")
        )
        assert "Cannot open: File exists" in line
        assert api.count(DOWNLOAD) == 2

    def test_the_log_of_a_transfer_job_may_show_late(self) -> None:
        api = Api(
            {
                EXTRACT: TOO_LONG,
                "POST /filesystem/transfer/extract": answer(201, TRANSFER),
                DOWNLOAD: [
                    answer(404, "base64: No such file or directory"),
                    httpx.Response(200, content=b"module: loaded\n"),
                ],
            }
        )
        call(api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"))
        assert api.count(DOWNLOAD) == 2

    def test_a_transfer_job_without_a_log_entry_is_not_believed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transfer_jobs, "TRANSFER_POLL_PAUSES", (0.0, 0.0))
        api = Api(
            {
                EXTRACT: TOO_LONG,
                "POST /filesystem/transfer/extract": answer(201, TRANSFER),
                DOWNLOAD: answer(404, "base64: No such file or directory"),
            }
        )
        line = fails(
            errors.NotFoundError, api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run")
        )
        assert line.startswith("reading the log of a transfer job on ")

    def test_a_gateway_that_reports_no_log_is_believed(self) -> None:
        opened = {"transferJob": {"jobId": "77"}}
        api = Api({EXTRACT: TOO_LONG, "POST /filesystem/transfer/extract": answer(201, opened)})
        call(api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"))

    def test_a_transfer_job_that_slurm_will_not_start_is_cancelled(self) -> None:
        cancel = "DELETE /compute/jobs/77"
        api = Api(
            {
                EXTRACT: TOO_LONG,
                "POST /filesystem/transfer/extract": answer(201, TRANSFER),
                cancel: answer(204),
            }
        )

        async def held(_job_id: str) -> list[JobPart]:
            raise errors.JobHeldError("Slurm holds job 77")

        connection = Connection(make_settings(), FAST, httpx.MockTransport(api))
        gateway = following(GatewayV2(connection), Follower(held))
        with pytest.raises(errors.JobHeldError):
            call(api, lambda gateway: gateway.extract("/scratch/in.tgz", "/scratch/run"), gateway=gateway)
        assert api.count(cancel) == 1

    def test_the_wanted_files_are_packed_below_their_directory(self) -> None:
        api = Api({COMPRESS: answer(204)})
        made = call(
            api, lambda gateway: gateway.archive("/scratch/run", ["t/out", "t/err"], "/scratch/x/out-1")
        )
        assert made == [Archive("/scratch/x/out-1-0.tgz")]
        body = api.body()
        assert body["target_path"] == made[0].path
        assert Path(body["source_path"]).parent == Path("/scratch/run")
        assert body["match_pattern"] == r"./t/\(err\|out\)"

    def test_what_does_not_fit_into_one_pattern_makes_several_archives(self) -> None:
        api = Api({COMPRESS: answer(204)})
        files = [f"t/{'x' * 100}{number}" for number in range(1000)]
        made = call(api, lambda gateway: gateway.archive("/scratch/run", files, "/scratch/out-1"))
        assert made == [Archive("/scratch/out-1-0.tgz"), Archive("/scratch/out-1-1.tgz")]

    def test_a_partial_archive_is_never_looked_at_again(self) -> None:
        api = Api(
            {
                COMPRESS: TOO_LONG,
                "POST /filesystem/transfer/compress": answer(201, TRANSFER),
                DOWNLOAD: httpx.Response(200, content=b""),
            }
        )
        partial = "/scratch/v1.tgz/out-1-0.tgz"
        made = call(api, lambda gateway: gateway.archive("/scratch/run", ["a"], "/scratch/v1.tgz/out-1"))
        assert api.body(0)["target_path"] == partial
        assert made == [Archive(api.body(1)["target_path"])]
        assert made[0].path != partial
        assert made[0].path.startswith("/scratch/v1.tgz/out-1-0")
        assert api.body(1)["match_pattern"] == api.body(0)["match_pattern"]


class TestFiles:
    def test_a_directory_is_made_with_its_parents(self) -> None:
        api = Api({"POST /filesystem/ops/mkdir": answer(201, {"output": {}})})
        call(api, lambda gateway: gateway.make_directory("/scratch/a/b"))
        assert api.body() == {"sourcePath": "/scratch/a/b", "parent": True}

    def test_a_listing_goes_all_the_way_down_and_shows_what_is_hidden(self) -> None:
        entry = {"name": ".x", "type": "-", "size": "3", "lastModified": "2026-11-23T05:16:25"}
        api = Api({"GET /filesystem/ops/ls": answer(200, {"output": [entry]})})
        (found,) = call(api, lambda gateway: gateway.list_tree("/scratch/t"))
        assert (found.path, found.size) == (".x", 3)
        assert dict(api.requests[0].url.params) == {
            "path": "/scratch/t",
            "showHidden": "true",
            "recursive": "true",
        }

    def test_permissions_are_changed(self) -> None:
        api = Api({"PUT /filesystem/ops/chmod": answer(200, {"output": None})})
        call(api, lambda gateway: gateway.change_mode("/scratch/t", "700"))
        assert api.body() == {"path": "/scratch/t", "mode": "700"}

    def test_a_name_that_would_break_the_command_is_not_sent(self) -> None:
        api = Api({})
        fails(errors.RejectedError, api, lambda gateway: gateway.change_mode("/s/'; rm x; '", "700"))
        assert api.seen == []

    def test_what_is_not_there_is_as_good_as_removed(self) -> None:
        api = Api({"DELETE /filesystem/ops/rm": answer(404, "rm: cannot remove: No such file or directory")})
        call(api, lambda gateway: gateway.remove("/scratch/t"))

    def test_what_takes_too_long_to_remove_becomes_a_transfer_job(self) -> None:
        api = Api(
            {
                "DELETE /filesystem/ops/rm": TOO_LONG,
                "DELETE /filesystem/transfer/rm": answer(200, TRANSFER),
                # On a shared file system others see it a little later.
                STAT: [answer(200, {"output": {"size": 4096}}), answer(404, "stat: No such file")],
            }
        )
        asked, follower = finished()
        gateway = following(GatewayV2(Connection(make_settings(), FAST, httpx.MockTransport(api))), follower)
        call(api, lambda gateway: gateway.remove("/scratch/t"), gateway=gateway)
        assert asked == ["77"]

    def test_what_is_still_there_was_not_removed_whatever_the_job_reports(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transfer_jobs, "TRANSFER_POLL_PAUSES", (0.0, 0.0))
        api = Api(
            {
                "DELETE /filesystem/ops/rm": TOO_LONG,
                "DELETE /filesystem/transfer/rm": answer(200, TRANSFER),
                STAT: answer(200, {"output": {"size": 4096}}),
            }
        )
        line = fails(errors.RejectedError, api, lambda gateway: gateway.remove("/scratch/t"))
        assert "/scratch/t still exists, although transfer job 77 reports success" in line

    def test_a_directory_that_may_not_be_written_is_reported_with_its_path(self) -> None:
        said = (
            "Remote process failed with exit status:1 and error message:"
            "mkdir: cannot create directory '/a': Permission denied"
        )
        api = Api({"POST /filesystem/ops/mkdir": answer(403, said)})
        line = fails(errors.ForbiddenError, api, lambda gateway: gateway.make_directory("/a"))
        assert line.endswith("failed: mkdir: cannot create directory '/a': Permission denied")
