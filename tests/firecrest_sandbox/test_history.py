"""Job lists of a busy account."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import ValidationError

from firecrest_sandbox import SandboxConfig
from tests.firecrest_sandbox.conftest import Api


def test_a_list_contains_the_jobs_of_the_past(start: Any) -> None:
    api: Api = start(history=50)
    answer = api.http.get(api.jobs_url, params={"time_window": "1h"})
    jobs = answer.json()["jobs"]
    assert len(jobs) == 50
    assert 1_100 < len(answer.content) / 50 < 1_300
    assert {job["status"]["state"] for job in jobs} == {"COMPLETED"}
    assert {job["account"] for job in jobs} == {"sandbox"}
    now = time.time()
    assert all(now - 3600 < job["time"]["start"] < job["time"]["end"] <= now for job in jobs)


def test_jobs_of_the_past_do_not_affect_new_ones(start: Any) -> None:
    api: Api = start(history=50, max_submitted_jobs=1, nodes=1, cpus=1)
    job_id = api.submitted("true\n", name="new")
    assert job_id == "51"
    api.wait(job_id, "COMPLETED")
    assert [job["jobId"] for job in api.listed(name="new")] == [job_id]
    assert len(api.listed()) == 51


def test_a_job_of_the_past_is_answered_as_any_ended_job(start: Any) -> None:
    api: Api = start(history=2)
    [job] = api.job("2")
    assert [task["id"] for task in job["tasks"]] == ["2.batch", "2.0", "2.1", "2.2"]
    assert api.listed(name=job["name"]) == [job]
    assert api.http.delete(f"{api.jobs_url}/2").status_code == 500
    assert api.http.get(f"{api.jobs_url}/3").status_code == 404


def test_a_long_history_exceeds_the_output_limit_of_lists(start: Any) -> None:
    api: Api = start(history=200, max_ops_file_size=65_536)
    answer = api.http.get(api.jobs_url)
    assert answer.status_code == 500
    assert answer.json()["causedBy"] == ["Command output exceeded buffer limit."]
    assert [job["jobId"] for job in api.job("200")] == ["200"]


def test_a_negative_history_is_refused() -> None:
    with pytest.raises(ValidationError):
        SandboxConfig(history=-1)
