"""Requests to a gateway that only cleaning up needs."""

from __future__ import annotations

import httpx
import pytest

from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model.remote_file import FileKind
from tests.gateway.helpers import Api, answer
from tests.gateway.v2.test_gateway import call


def test_a_directory_is_listed_without_what_lies_below() -> None:
    entry = {"name": "run", "type": "d", "size": "4096", "lastModified": "2026-01-01T00:00:00"}
    api = Api({"GET /filesystem/ops/ls": answer(200, {"output": [entry]})})
    [found] = call(api, lambda gateway: gateway.list_directory("/scratch/rf"))
    assert (found.path, found.kind) == ("run", FileKind.DIRECTORY)
    assert api.requests[0].url.params["recursive"] == "false"
    assert api.requests[0].url.params["showHidden"] == "true"
    call(api, lambda gateway: gateway.list_tree("/scratch/rf"))
    assert api.requests[1].url.params["recursive"] == "true"


def test_a_job_reports_its_script() -> None:
    found = answer(200, {"jobs": [{"jobId": "7", "script": "#!/bin/sh"}]})
    api = Api({"GET /compute/jobs/7/metadata": found})
    assert call(api, lambda gateway: gateway.script("7")) == "#!/bin/sh"


@pytest.mark.parametrize(
    "found",
    [answer(404, "Job not found."), answer(200, {"jobs": [{"jobId": "7", "script": None}]}), answer(200, {})],
)
def test_a_job_whose_script_is_gone_has_none(found: httpx.Response) -> None:
    api = Api({"GET /compute/jobs/7/metadata": found})
    assert call(api, lambda gateway: gateway.script("7")) == ""


def test_a_job_reports_where_its_output_goes() -> None:
    found = answer(200, {"jobs": [{"jobId": "7", "standardOutput": "/scratch/rf/run/t/rfm_job.out"}]})
    api = Api({"GET /compute/jobs/7/metadata": found})
    assert call(api, lambda gateway: gateway.directory("7")) == "/scratch/rf/run/t"


@pytest.mark.parametrize("found", [answer(404, "Job not found."), answer(200, {"jobs": [{"jobId": "7"}]})])
def test_a_job_that_is_gone_reports_no_directory(found: httpx.Response) -> None:
    api = Api({"GET /compute/jobs/7/metadata": found})
    assert call(api, lambda gateway: gateway.directory("7")) == ""


@pytest.mark.parametrize(
    ("reported", "known"),
    [
        ("/scratch/me/reframe-firecrest/r/t", "/scratch/me/reframe-firecrest/r/t"),
        ("/scratch/me/reframe-", ""),
    ],
)
def test_a_directory_that_was_cut_counts_as_not_told(reported: str, known: str) -> None:
    job = {"jobId": "7", "status": {"state": "PENDING"}, "workingDirectory": reported}
    api = Api({"GET /compute/jobs": answer(200, {"jobs": [job]})})
    [part] = call(api, lambda gateway: gateway.jobs(0.0))
    assert part.working_directory == known


def test_a_lost_submission_is_found_by_its_directory_which_is_asked_for_where_it_is_not_told() -> None:
    jobs = [
        {"jobId": job_id, "status": {"state": "PENDING"}, "workingDirectory": place}
        for job_id, place in (("5", "/scratch/other"), ("6", ""), ("7", ""), ("8", "/scratch/t"))
    ]
    api = Api(
        {
            "GET /compute/jobs": answer(200, {"jobs": jobs}),
            "GET /compute/jobs/6/metadata": answer(
                200, {"jobs": [{"jobId": "6", "standardOutput": "/scratch/t/rfm_job.out"}]}
            ),
            "GET /compute/jobs/7/metadata": answer(
                200, {"jobs": [{"jobId": "7", "standardOutput": "/scratch/u/rfm_job.out"}]}
            ),
        }
    )

    async def find(gateway: GatewayV2) -> list[str]:
        return await gateway.find("/scratch/t/job.sh", "/scratch/t", "rfm", 0.0)

    assert call(api, find, find) == ["6", "8"]
    # Known values of a job are not queried again.
    assert api.count("GET /compute/jobs/6/metadata") == 1
