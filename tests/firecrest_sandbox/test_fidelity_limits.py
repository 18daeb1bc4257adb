"""Limits of a real FirecREST v2 in reading what Slurm prints, and refusals by policy."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from firecrest_sandbox import FaultRule
from firecrest_sandbox.errors import SchedulerError
from firecrest_sandbox.fault_injection.faults import FaultKind
from firecrest_sandbox.runners.slurm import parsing
from tests.firecrest_sandbox.conftest import Api

UNREADABLE = (500, "Error executing Slurm command.")


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def sacct_line(job_id: str, name: str) -> str:
    values = dict.fromkeys(parsing.SACCT_FIELDS.split(","), "") | {"JobID": job_id, "JobName": name}
    return "|".join(values.values())


def test_a_separator_in_a_jobs_name_breaks_every_list_that_contains_it(start: Any) -> None:
    api: Api = start()
    other = api.submitted("true\n", name="other")
    broken = api.submitted("sleep 60\n", name="a|b")
    api.wait(other)
    assert refusal(api.http.get(api.jobs_url)) == UNREADABLE
    assert api.http.get(api.jobs_url).json()["causedBy"] is None
    assert refusal(api.http.get(f"{api.jobs_url}/{broken}")) == UNREADABLE
    assert refusal(api.http.get(api.jobs_url, params={"name": "a|b"})) == UNREADABLE
    assert [job["jobId"] for job in api.listed(name="other")] == [other]
    assert api.job(other)[0]["name"] == "other"
    assert api.http.delete(f"{api.jobs_url}/{broken}").status_code == 204


def test_a_separator_in_the_name_of_a_waiting_job_hides_it(start: Any) -> None:
    api: Api = start(nodes=1, cpus=1)
    running = api.submitted("sleep 60\n", name="first")
    waiting = api.submitted("true\n", name="a|b")
    assert [job["jobId"] for job in api.listed()] == [running]
    assert api.http.get(f"{api.jobs_url}/{waiting}").status_code == 404


def test_the_slurm_runner_fails_at_a_step_whose_jobs_line_it_could_not_read() -> None:
    lines = [sacct_line("1", "good"), sacct_line("2", "a|b"), sacct_line("2.batch", "batch")]
    assert [job.job_id for job in parsing.accounted_jobs("\n".join(lines[:2]))] == ["1"]
    with pytest.raises(SchedulerError) as caught:
        parsing.accounted_jobs("\n".join(lines))
    assert (caught.value.status, caught.value.message) == UNREADABLE


def test_a_list_of_jobs_that_exceeds_the_buffer_fails_and_smaller_ones_do_not(start: Any) -> None:
    """The buffer is as large as the largest file, so that a site which lowers one lowers the other."""
    api: Api = start(max_ops_file_size=2_000)
    ids = [api.submitted("true\n", name=f"job-{number}") for number in range(12)]
    for job_id in ids:
        api.wait(job_id)
    answer = api.http.get(api.jobs_url)
    assert refusal(answer) == UNREADABLE
    assert answer.json()["causedBy"] == ["Command output exceeded buffer limit."]
    assert [job["jobId"] for job in api.listed(name="job-3")] == [ids[3]]


@pytest.mark.parametrize(
    ("limits", "fits"),
    [({"max_ops_file_size": 1_000}, False), ({"max_ops_file_size": 1_000, "output_limit": 9_000}, True)],
)
def test_the_buffer_follows_the_size_of_files_unless_it_is_set(
    start: Any, limits: dict[str, int], fits: bool
) -> None:
    api: Api = start(**limits)
    (api.home / "file").write_bytes(b"x" * 900)
    answer = api.ops("GET", "download", params={"path": str(api.home / "file")})
    assert answer.status_code == (200 if fits else 413)
    if not fits:
        assert answer.json()["message"] == "Command output exceeded buffer limit."


def test_a_submission_beyond_a_qos_gets_403_and_the_words_of_sbatch(start: Any) -> None:
    api: Api = start(max_submitted_jobs=2)
    first = api.submitted("sleep 60\n")
    api.submitted("sleep 60\n")
    status, message = refusal(api.submit("#!/bin/bash\ntrue\n"))
    assert status == 403
    assert message.startswith(
        "Job submission rejected: accounting/QOS policy limit exceeded. sbatch: error: "
    )
    assert "QOSMaxSubmitJobPerUserLimit" in message
    api.http.delete(f"{api.jobs_url}/{first}")
    api.wait(first)
    assert refusal(api.submit("#!/bin/bash\n#SBATCH --array=0-1\ntrue\n"))[0] == 403
    api.submitted("true\n")


def test_a_fault_may_have_a_message_of_the_gateway(start: Any) -> None:
    rule = FaultRule(
        path="/jobs$", kind=FaultKind.STATUS, status=500, message="Error executing Slurm command."
    )
    api: Api = start(faults=(rule,))
    assert refusal(api.http.get(api.jobs_url)) == UNREADABLE
