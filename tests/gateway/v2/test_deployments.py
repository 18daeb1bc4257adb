"""Deployments: without S3, with accounts for transfer jobs, over slurmrestd, with a small limit."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors
from reframe_firecrest.model.limitations import PLACES_OF_ACCOUNT
from tests.gateway.helpers import SYSTEM, Api, answer, make_gateway
from tests.gateway.v2.test_gateway import TRANSFER, call

SYSTEMS = "GET /status/systems"
REMOVE = "DELETE /filesystem/ops/rm"
REMOVE_BY_JOB = "DELETE /filesystem/transfer/rm"
STAT = "GET /filesystem/ops/stat"
CUT_OFF = answer(408, {"errorType": "error", "message": "timeout", "data": None, "user": None})
MISSING = answer(404, {"errorType": "error", "message": "No such file", "data": None, "user": None})
DEMANDED = answer(
    400,
    {
        "errorType": "error",
        "message": "Account parameter is required on this system.",
        "data": None,
        "user": None,
    },
)
DIRECTIVES = ["#SBATCH --nodes=1", "#SBATCH --account={account}"]


def systems(**operation: object) -> Any:
    operation = {"max_ops_file_size": 1000, **operation}
    return answer(200, {"systems": [{"name": SYSTEM, "dataOperation": operation}]})


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(bytes(1001))
    return path


class TestWithoutS3:
    @pytest.mark.parametrize(
        ("transfer", "name"),
        [
            ({"serviceType": "streamer"}, "streamer"),
            ({"serviceType": "wormhole"}, "wormhole"),
            (None, "none"),
        ],
        ids=["streamer", "wormhole", "none"],
    )
    def test_a_large_upload_fails_at_once(self, large: Path, transfer: object, name: str) -> None:
        api = Api({SYSTEMS: systems(data_transfer=transfer)})
        words = rf"upload of 1.0 kB on .* failed: the limit .* is 1.0 kB, .*: {name}\); keep large files"
        with pytest.raises(errors.TooLargeError, match=words):
            call(api, connect, lambda gateway: gateway.upload(large, "/scratch/large"))
        assert api.seen == [SYSTEMS]

    def test_a_large_download_fails_at_once(self, tmp_path: Path) -> None:
        api = Api({SYSTEMS: systems(data_transfer=None)})
        with pytest.raises(errors.TooLargeError, match=r"download of 5.0 kB"):
            call(api, connect, lambda gateway: gateway.download("/a", tmp_path / "a", size_hint=5000))
        assert api.seen == [SYSTEMS]

    def test_other_transfer_jobs_need_no_storage(self) -> None:
        table = {
            SYSTEMS: systems(data_transfer=None),
            REMOVE: CUT_OFF,
            REMOVE_BY_JOB: answer(200, TRANSFER),
            STAT: MISSING,
        }
        call(Api(table), connect, lambda gateway: gateway.remove("/scratch/run"))


class TestAccount:
    def table(self, **changes: Any) -> dict[str, Any]:
        return {
            SYSTEMS: systems(datatransfer_jobs_directives=DIRECTIVES),
            REMOVE: CUT_OFF,
            REMOVE_BY_JOB: answer(200, TRANSFER),
            STAT: MISSING,
            **changes,
        }

    def test_without_one_the_places_are_named_and_nothing_is_requested(self, large: Path) -> None:
        api = Api(self.table())
        with pytest.raises(errors.RejectedError, match=r"queueing a transfer .* need an account") as caught:
            call(api, connect, lambda gateway: gateway.upload(large, "/scratch/large"))
        assert str(caught.value).endswith(PLACES_OF_ACCOUNT)
        assert api.seen == [SYSTEMS]

    def test_a_gateway_that_does_not_report_it_is_explained(self, large: Path) -> None:
        refused = {
            "POST /filesystem/transfer/upload": DEMANDED,
            "GET /compute/jobs": answer(200, {"jobs": []}),
        }
        api = Api(self.table(**{SYSTEMS: systems(), **refused}))
        with pytest.raises(errors.RejectedError, match="need an account") as caught:
            call(api, connect, lambda gateway: gateway.upload(large, "/scratch/large"))
        assert str(caught.value).endswith(PLACES_OF_ACCOUNT)

    def test_a_refused_removal_is_explained(self) -> None:
        api = Api(self.table(**{SYSTEMS: systems(), REMOVE_BY_JOB: DEMANDED}))
        with pytest.raises(errors.RejectedError, match=r"need an account.*FIRECREST_ACCOUNT"):
            call(api, connect, lambda gateway: gateway.remove("/scratch/run"))

    def test_a_removal_by_a_job_charges_it(self) -> None:
        api = Api(self.table())
        gateway = make_gateway(api, account="staff")
        call(api, connect, lambda gateway: gateway.remove("/scratch/run"), gateway=gateway)
        [request] = [request for request in api.requests if request.url.path.endswith("transfer/rm")]
        assert dict(request.url.params) == {"path": "/scratch/run", "account": "staff"}

    @pytest.mark.parametrize(("of_settings", "charged"), [(None, "test"), ("settings", "settings")])
    def test_the_settings_come_before_the_tests(self, of_settings: str | None, charged: str) -> None:
        api = Api(self.table())
        gateway = make_gateway(api, account=of_settings)
        gateway.charge_transfers_to("test")
        gateway.charge_transfers_to("another test")
        call(api, connect, lambda gateway: gateway.remove("/scratch/run"), gateway=gateway)
        [request] = [request for request in api.requests if request.url.path.endswith("transfer/rm")]
        assert request.url.params["account"] == charged


class TestSlurmrestd:
    SCRIPT = "GET /filesystem/ops/download"
    SUBMIT = "POST /compute/jobs"
    TEXT = "#!/bin/bash\n#SBATCH --job-name=rfm_a\n#SBATCH --output=a.out\ntrue\n"

    def table(self, mode: str, *answers: Any) -> dict[str, Any]:
        scheduler = {"type": "slurm", "connectionMode": mode}
        return {
            SYSTEMS: answer(200, {"systems": [{"name": SYSTEM, "scheduler": scheduler}]}),
            self.SCRIPT: httpx.Response(
                200, content=self.TEXT.encode(), headers={"content-type": "application/octet-stream"}
            ),
            self.SUBMIT: [*answers, answer(201, {"jobId": "7"})],
        }

    def test_a_script_is_sent_inline(self) -> None:
        api = Api(self.table("rest"))
        assert call(api, connect, submit) == "7"
        assert api.seen == [SYSTEMS, self.SCRIPT, self.SUBMIT]
        assert api.body()["job"] == {
            "name": "rfm_a",
            "standardOutput": "a.out",
            "account": "staff",
            "workingDirectory": "/scratch/t",
            "env": {"PATH": "/usr/local/bin:/usr/bin:/bin"},
            "script": self.TEXT,
        }

    def test_a_gateway_that_cannot_submit_a_path_gets_the_script_from_then_on(self) -> None:
        """The refusal is final and leaves no doubt."""
        message = "Scheduler can't handle this request when configured to use rest connection mode"
        refusal = answer(501, {"errorType": "error", "message": message, "data": None, "user": None})
        api = Api(self.table("ssh", refusal))
        assert call(api, connect, submit, submit) == "7"
        first, second, third = (self.body(api, number) for number in range(3))
        assert first == {
            "working_directory": "/scratch/t",
            "scriptPath": "/scratch/t/job.sh",
            "account": "staff",
        }
        assert second == third
        assert second["script"] == self.TEXT
        assert api.count("GET /compute/jobs") == 0

    def body(self, api: Api, number: int) -> dict[str, object]:
        sent = [request for request in api.requests if request.method == "POST"]
        job: dict[str, object] = json.loads(sent[number].content)["job"]
        return job

    def test_hybrid_mode_submits_the_path(self) -> None:
        api = Api(self.table("hybrid"))
        assert call(api, connect, submit) == "7"
        assert api.seen == [SYSTEMS, self.SUBMIT]

    @pytest.mark.parametrize("mode", ["rest", "hybrid"])
    def test_jobs_are_listed_without_names(self, mode: str) -> None:
        """FirecREST v2 compares each name with the whole filter."""
        api = Api({**self.table(mode), "GET /compute/jobs": answer(200, {"jobs": [RUNNING]})})
        found = call(api, connect, lambda gateway: gateway.jobs(time.time(), NAMES, ["7", "8"]))
        assert [(part.job_id, part.end) for part in found] == [("7", None)]
        assert "name" not in api.requests[-1].url.params

    def test_lists_that_fail_leave_single_queries_at_once(self) -> None:
        broken = answer(500, {"errorType": "error", "message": "broken", "data": None, "user": None})
        single = answer(200, {"jobs": [RUNNING]})
        table = {**self.table("hybrid"), "GET /compute/jobs": broken, "GET /compute/jobs/7": single}
        table["GET /compute/jobs/8"] = single
        api = Api(table)
        with pytest.raises(errors.UnlistableError):
            call(api, connect, lambda gateway: gateway.jobs(time.time(), NAMES, ["7", "8"]))
        assert all("name" not in request.url.params for request in api.requests)


NAMES = ["rfm_a", "rfm_b"]

RUNNING = {
    "jobId": "7",
    "name": "rfm_a",
    "status": {"state": "RUNNING", "stateReason": "None", "exitCode": 0, "interruptSignal": None},
    "tasks": [],
    "time": {"elapsed": 7, "start": 1795873095, "end": 0, "suspended": 0, "limit": 300},
    "account": "users",
    "allocationNodes": 1,
    "nodes": "nid001",
    "workingDirectory": "/scratch/t",
}
"""An answer of FirecREST v2 (35e1d08) in hybrid mode, shortened."""


class TestSmallLimit:
    BUFFER = answer(
        500,
        {
            "errorType": "error",
            "message": "Error executing Slurm command.",
            "causedBy": ["Command output exceeded buffer limit."],
            "data": None,
            "user": None,
        },
    )

    def test_a_job_whose_answer_is_too_long_is_not_asked_for_again(self) -> None:
        api = Api({SYSTEMS: systems(), "GET /compute/jobs/7": self.BUFFER})
        words = (
            r"querying a job on .* longer than the gateway allows, 999 B; ask the site for a larger max_ops"
        )
        with pytest.raises(errors.TooLargeError, match=words):
            call(api, connect, lambda gateway: gateway.job("7"))
        assert api.count("GET /compute/jobs/7") == 1

    def test_a_listing_that_is_too_long_is_explained(self) -> None:
        full = {"message": "Command output exceeded buffer limit.", "data": None, "user": None}
        api = Api({SYSTEMS: systems(), "GET /filesystem/ops/ls": answer(413, {"errorType": "error", **full})})
        with pytest.raises(errors.TooLargeError, match=r"listing files .*; ask the site .* fewer files"):
            call(api, connect, lambda gateway: gateway.list_tree("/scratch"))


async def submit(gateway: GatewayV2) -> str:
    return await gateway.submit("/scratch/t/job.sh", "/scratch/t", "staff")


async def connect(gateway: GatewayV2) -> None:
    await gateway.connect()
