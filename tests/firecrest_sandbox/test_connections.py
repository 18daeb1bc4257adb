"""Sites whose gateway reaches Slurm through slurmrestd, and sites with PBS.

The answers are those of firecrest-v2 at 35e1d08 in front of slurmrestd. Submissions were measured with
slurmrestd 22.05; job records follow the gateway's own recordings of slurmrestd 24.11.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from firecrest_sandbox import SandboxConfig
from tests.firecrest_sandbox.conftest import Api

NOT_OVER_REST = (501, "Scheduler can't handle this request when configured to use rest connection mode")
HEADER = "#!/bin/bash\n#SBATCH --job-name=directive\n#SBATCH --nodes=2\n#SBATCH --array=0-1\n"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def scheduler(api: Api) -> dict[str, Any]:
    [entry] = api.http.get("/status/systems").json()["systems"]
    return dict(entry["scheduler"])


def submit_path(api: Api, script: str) -> httpx.Response:
    (api.home / "script.sh").write_text(script)
    job = {"workingDirectory": str(api.home), "scriptPath": str(api.home / "script.sh")}
    return api.http.post(api.jobs_url, json={"job": job})


@pytest.mark.parametrize("connection", ["ssh", "rest", "hybrid"])
def test_the_system_reports_its_connection(start: Any, connection: str) -> None:
    shown = scheduler(start(connection=connection))
    assert shown["connectionMode"] == connection
    assert (shown["apiUrl"] is None) == (shown["apiVersion"] is None) == (connection == "ssh")


def test_a_script_on_the_system_needs_ssh(start: Any) -> None:
    api: Api = start(connection="rest")
    assert refusal(submit_path(api, "#!/bin/bash\ntrue\n")) == NOT_OVER_REST
    assert api.listed() == []


def test_metadata_need_ssh(start: Any) -> None:
    api: Api = start(connection="rest")
    job_id = api.submitted("true\n")
    assert refusal(api.http.get(f"{api.jobs_url}/{job_id}/metadata")) == NOT_OVER_REST


def test_slurmrestd_ignores_the_scripts_directives_and_adds_no_variables(start: Any) -> None:
    api: Api = start(connection="rest")
    output = api.home / "out"
    answer = api.submit(
        HEADER + 'echo "$SLURM_JOB_NUM_NODES ${SLURM_ARRAY_TASK_ID-none} ${HOME-none} $A"\n',
        name="given",
        env={"A": "b,c"},
        standardOutput=str(output),
    )
    [job] = api.wait(answer.json()["jobId"], "COMPLETED")
    assert (job["name"], job["allocationNodes"]) == ("given", 1)
    assert output.read_text() == "1 none none b,c\n"


def test_hybrid_mode_reads_the_directives_of_scripts_on_the_system_only(start: Any) -> None:
    api: Api = start(connection="hybrid")
    by_path = submit_path(api, HEADER + "true\n").json()["jobId"]
    by_text = api.submit(HEADER + "true\n").json()["jobId"]
    assert [job["allocationNodes"] for job in api.wait(by_path)] == [2, 2]
    assert [job["allocationNodes"] for job in api.wait(by_text)] == [1]


@pytest.mark.parametrize("connection", ["rest", "hybrid"])
def test_a_name_filter_matches_one_name(start: Any, connection: str) -> None:
    api: Api = start(connection=connection)
    for name in ("one", "two", "one,two"):
        api.wait(api.submitted("true\n", name=name))
    assert [job["name"] for job in api.listed(name="one")] == ["one"]
    assert [job["name"] for job in api.listed(name="one,two")] == ["one,two"]


def test_a_waiting_job_is_the_controllers_record(start: Any) -> None:
    api: Api = start(connection="rest", nodes=1, cpus=1)
    api.wait(api.submitted("sleep 60\n"), "RUNNING")
    waiting = api.submitted("true\n", name="waits")
    [job] = api.listed(name="waits")
    assert job["jobId"] == waiting
    assert job["status"] == {
        "state": "PENDING",
        "stateReason": "Resources",
        "exitCode": 0,
        "interruptSignal": None,
    }
    assert job["time"] == {"elapsed": None, "start": 0, "end": 0, "suspended": 0, "limit": 1800}
    assert (job["tasks"], job["allocationNodes"], job["group"], job["nodes"]) == (None, 0, None, "")


def test_running_and_ended_jobs_have_numbers_where_ssh_mode_has_null(start: Any) -> None:
    api: Api = start(connection="rest")
    [job] = api.wait(api.submitted("sleep 60\n"), "RUNNING")
    assert job["time"]["start"] > 0
    assert job["time"]["end"] == 0
    assert job["status"]["interruptSignal"] is None
    [ended] = api.wait(api.submitted("exit 3\n"), "FAILED")
    assert (ended["status"]["exitCode"], ended["status"]["interruptSignal"]) == (3, None)
    assert ended["tasks"][0]["status"]["interruptSignal"] is None


def test_a_cancelled_job_names_its_user_apart_from_its_state(start: Any) -> None:
    api: Api = start(connection="rest")
    job_id = api.submitted("sleep 60\n")
    api.wait(job_id, "RUNNING")
    assert api.http.delete(f"{api.jobs_url}/{job_id}").status_code == 204
    [job] = api.wait(job_id, "CANCELLED")
    assert (job["status"]["state"], job["killRequestUser"]) == ("CANCELLED", job["user"])


def test_tasks_of_an_array_have_their_own_ids(start: Any) -> None:
    api: Api = start(connection="hybrid")
    array = submit_path(api, "#!/bin/bash\n#SBATCH --array=0-2\ntrue\n").json()["jobId"]
    tasks = api.wait(array, "COMPLETED")
    assert sorted(task["jobId"] for task in tasks) == sorted([array, "2", "3"])
    assert sorted(job["jobId"] for job in api.listed()) == sorted(task["jobId"] for task in tasks)


def test_ended_and_unknown_jobs(start: Any) -> None:
    api: Api = start(connection="rest")
    job_id = api.submitted("true\n")
    api.wait(job_id, "COMPLETED")
    assert api.http.delete(f"{api.jobs_url}/{job_id}").status_code == 204
    assert refusal(api.http.get(f"{api.jobs_url}/99")) == (404, "Job not found.")
    status, message = refusal(api.http.delete(f"{api.jobs_url}/99"))
    assert status == 500
    assert message.startswith("Unexpected Slurm API response. status:500 message:")
    assert "Invalid job id specified" in message


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"partition": "nosuch"}, '"error_code": 2000, "error": "Invalid partition name specified"'),
        ({"account": "nosuch"}, '"error": "Invalid account or account/partition combination specified"'),
    ],
)
def test_slurmrestd_refuses_without_the_words_of_sbatch(
    start: Any, option: dict[str, str], reason: str
) -> None:
    api: Api = start(connection="rest")
    status, message = refusal(api.submit("#!/bin/bash\ntrue\n", **option))
    assert status == 500
    assert message.startswith("Unexpected Slurm API response. status:500 message:")
    assert reason in message
    assert "sbatch" not in message


def test_lists_over_rest_have_neither_an_output_limit_nor_a_gap(start: Any) -> None:
    api: Api = start(connection="rest", history=100, max_ops_file_size=4_096, list_gap=600)
    job_id = api.submitted("true\n")
    api.wait(job_id, "COMPLETED")
    assert len(api.listed()) == 101


def test_transfer_jobs_are_submitted_over_rest(start: Any) -> None:
    api: Api = start(connection="rest")
    (api.home / "old").write_text("x")
    wanted = {"path": str(api.home / "old"), "targetPath": str(api.home / "new")}
    api.wait(api.transfer("cp", **wanted).json()["transferJob"]["jobId"], "COMPLETED")
    assert (api.home / "new").read_text() == "x"


def test_a_site_with_pbs_has_none_of_its_commands(start: Any) -> None:
    api: Api = start(scheduler="pbs")
    assert scheduler(api)["type"] == "pbs"
    submission = api.submit("#!/bin/bash\ntrue\n")
    message = (
        "Unexpected PBS command response. exit_status:127 std_err:bash: line 1: qsub: command not found\n"
    )
    assert refusal(submission) == (500, message)
    assert submission.json()["causedBy"] == [message]
    assert "qstat: command not found" in refusal(api.http.get(api.jobs_url))[1]
    assert "pbsnodes response" in refusal(api.http.get(f"/status/{api.system}/nodes"))[1]
    assert api.http.get(f"/status/{api.system}/userinfo").json()["accounts"] is None
    assert api.upload("file", b"x").status_code == 204


@pytest.mark.parametrize(
    "settings",
    [
        {"scheduler": "pbs", "connection": "rest"},
        {"runner": "slurm", "connection": "hybrid"},
        {"runner": "slurm", "history": 1},
    ],
    ids=["pbs-rest", "slurm-hybrid", "slurm-history"],
)
def test_impossible_combinations_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SandboxConfig.model_validate(settings)
