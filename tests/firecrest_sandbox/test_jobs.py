"""The embedded runner, through the API: states, limits, queue, arrays, environment."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.firecrest_sandbox.conftest import Api

Start = Any


def status(job: dict[str, Any]) -> tuple[str, int, int]:
    shown = job["status"]
    return shown["state"], shown["exitCode"], shown["interruptSignal"]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def wait_for_file(path: Path) -> str:
    deadline = time.monotonic() + 10
    while not (path.is_file() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
    return path.read_text()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("true\n", ("COMPLETED", 0, 0)),
        ("exit 3\n", ("FAILED", 3, 0)),
        ("kill -SEGV $$\n", ("FAILED", 0, signal.SIGSEGV)),
        ("bash -c 'kill -KILL $$'\nexit $?\n", ("FAILED", 137, 0)),
    ],
)
def test_exit_codes_and_signals(api: Api, script: str, expected: tuple[str, int, int]) -> None:
    job, _ = api.ran(script)
    assert status(job) == expected
    assert job["tasks"][0]["name"] == "batch"


def test_a_missing_directory_or_interpreter_fails_the_job(api: Api) -> None:
    for script, where in (
        ("#!/bin/bash\ntrue\n", str(api.home / "nowhere")),
        ("#!/nowhere/bash\ntrue\n", str(api.home)),
    ):
        answer = api.submit(script, workingDirectory=where)
        assert answer.status_code == 201
        [job] = api.wait(answer.json()["jobId"])
        assert status(job)[:2] == ("FAILED", 1)
        assert job["workingDirectory"] == where


def test_a_script_on_the_system_is_submitted_by_its_path(api: Api) -> None:
    (api.home / "job.sh").write_text("#!/bin/bash\n#SBATCH -o by-path.out\necho hello\n")
    answer = api.submit("", scriptPath=str(api.home / "job.sh"))
    [job] = api.wait(answer.json()["jobId"])
    assert job["name"] == "job.sh"
    assert (api.home / "by-path.out").read_text() == "hello\n"


def test_the_time_limit_ends_the_whole_tree(api: Api) -> None:
    script = "#SBATCH --time=0:01\n#SBATCH -e late.err\nsetsid sleep 60 &\necho $! > late.pid\nsleep 60\n"
    job, _ = api.ran(script)
    assert status(job) == ("TIMEOUT", 0, 0)
    assert status(job["tasks"][0]) == ("CANCELLED", 0, signal.SIGTERM)
    assert "DUE TO TIME LIMIT" in (api.home / "late.err").read_text()
    assert gone(int((api.home / "late.pid").read_text()))


def test_cancelling_ends_the_whole_tree(api: Api) -> None:
    script = (
        "#SBATCH -n2\ntrap '' TERM\nsrun -n2 bash -c 'setsid sleep 60' &\nsetsid sleep 61 &\n"
        "echo $! > tree.pid\nwait\nsleep 60\n"
    )
    (api.home / "tree.pid").unlink(missing_ok=True)
    job_id = api.submitted(script)
    pid = int(wait_for_file(api.home / "tree.pid"))
    assert api.http.delete(f"{api.jobs_url}/{job_id}").status_code == 204
    [job] = api.wait(job_id)
    assert status(job) == (f"CANCELLED by {os.getuid()}", 0, 0)
    assert gone(pid)
    assert "CANCELLED AT" in api.output(job_id)


def test_stray_processes_end_with_their_job(api: Api) -> None:
    job, output = api.ran("setsid sleep 60 >/dev/null 2>&1 &\necho $!\n")
    assert status(job)[0] == "COMPLETED"
    assert gone(int(output))


def test_jobs_wait_for_cpus_and_none_overtakes(start: Start) -> None:
    api = start(nodes=2, cpus=2)
    first = api.submitted("#SBATCH -n3\nsleep 60\n")
    second = api.submitted("#SBATCH -N2 -n2 -c2\ntrue\n")
    third = api.submitted("true\n")
    api.wait(first, "RUNNING")
    reasons = {job["jobId"]: job["status"]["stateReason"] for job in api.listed()}
    assert (reasons[second], reasons[third]) == ("Resources", "Priority")
    api.http.delete(f"{api.jobs_url}/{first}")
    for job_id, nodes in ((second, "nid[001-002]"), (third, "nid001")):
        [job] = api.wait(job_id, "COMPLETED")
        assert job["nodes"] == nodes


def test_a_job_larger_than_the_system_waits_and_delays_no_other(start: Start) -> None:
    api = start(nodes=2, cpus=2)
    for size, reason in (("-N3", "PartitionNodeLimit"), ("-c3", "PartitionConfig")):
        job_id = api.submitted(f"#SBATCH {size}\ntrue\n")
        [job] = api.job(job_id)
        assert (job["status"]["state"], job["status"]["stateReason"]) == ("PENDING", reason)
    assert api.ran("true\n")[0]["status"]["state"] == "COMPLETED"


def test_cancelling_a_waiting_job(start: Start) -> None:
    api = start(nodes=1, cpus=1)
    api.submitted("sleep 60\n")
    job_id = api.submitted("true\n")
    assert api.http.delete(f"{api.jobs_url}/{job_id}").status_code == 204
    [job] = api.job(job_id)
    assert status(job)[0].startswith("CANCELLED")
    assert (job["tasks"], job["time"]["start"], job["nodes"]) == ([], None, "None assigned")


def test_an_array_is_one_entry_then_one_or_two_a_task(start: Start) -> None:
    api = start(nodes=1, cpus=2)
    array = api.submitted(
        "#SBATCH --array=0-3%2\n#SBATCH -o a_%A_%a.out\n"
        "echo $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT\n"
        "while [ ! -e go ]; do sleep .02; done\nexit $SLURM_ARRAY_TASK_ID\n"
    )
    ids = sorted(job["jobId"] for job in api.listed())
    assert ids == sorted(["1_0", "1_1", "2", "3", "1"])
    [waiting] = [job for job in api.job(array) if job["jobId"] == "1"]
    assert waiting["status"]["stateReason"] == "JobArrayTaskLimit"
    (api.home / "go").touch()
    tasks = api.wait(array)
    assert [(job["jobId"], job["status"]["exitCode"]) for job in tasks] == [
        ("1_0", 0),
        ("1_1", 1),
        ("1_2", 2),
        ("1_3", 3),
    ]
    assert (api.home / "a_1_2.out").read_text() == "2 of 4\n"


def test_tasks_cancelled_before_they_ran_are_one_entry(start: Start) -> None:
    api = start(nodes=1, cpus=1)
    api.submitted("sleep 60\n")
    array = api.submitted("#SBATCH --array=1-3,7\ntrue\n")
    api.http.delete(f"{api.jobs_url}/{array}")
    [job] = api.job(array)
    assert job["jobId"] == f"{array}_[1-3,7]"


def test_the_list_is_filtered(start: Start) -> None:
    api = start(accounts=("one", "two"))
    api.wait(api.submitted("true\n", name="a"))
    api.wait(api.submitted("true\n", name="b", account="two"))
    assert {job["name"] for job in api.listed()} == {"a", "b"}
    assert {job["name"] for job in api.listed(name="a", allusers=True)} == {"a"}
    assert {job["name"] for job in api.listed(account="two")} == {"b"}


def test_ended_jobs_leave_the_time_window_and_others_do_not(start: Start) -> None:
    api = start()
    old = api.submitted("true\n")
    api.wait(old)
    running = api.submitted("sleep 60\n")
    for job in api.sandbox.state.runner._jobs:
        job.submitted -= 7200
        job.ended -= 7200 if job.ended else 0
    assert {job["jobId"] for job in api.listed(time_window="1h")} == {running}
    assert {job["jobId"] for job in api.listed(time_window="8h")} == {old, running}


def test_a_job_that_has_just_ended_can_be_missing_from_the_list(start: Start) -> None:
    api = start(list_gap=2.0)
    job_id = api.submitted("true\n")
    api.wait(job_id, "COMPLETED")
    assert api.listed() == []
    assert api.job(job_id)[0]["status"]["state"] == "COMPLETED"
    deadline = time.monotonic() + 30
    while not api.listed():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_finds_its_environment(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "hidden")
    api = start(system="tiny", nodes=2, cpus=4)
    _, output = api.ran(
        "#SBATCH -J envy -N2 --ntasks-per-node=2 -c2\nenv -0 | tr '\\n\\0' ' \\n'\n",
        env={"A": "x,y", "B": "two words"},
    )
    env = dict(line.partition("=")[::2] for line in output.splitlines())
    expected = {
        "A": "x",  # values are cut at a comma
        "B": "two words",
        "HOME": str(api.home),
        "SLURM_CLUSTER_NAME": "tiny",
        "SLURM_CPUS_PER_TASK": "2",
        "SLURM_CPUS_ON_NODE": "4",
        "SLURM_JOB_ACCOUNT": "sandbox",
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NAME": "envy",
        "SLURM_JOB_NODELIST": "nid[001-002]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_PARTITION": "normal",
        "SLURM_NNODES": "2",
        "SLURM_NODELIST": "nid[001-002]",
        "SLURM_NPROCS": "4",
        "SLURM_NTASKS": "4",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_SUBMIT_DIR": str(api.home),
        "SLURM_TASKS_PER_NODE": "2(x2)",
    }
    assert {name: env.get(name) for name in expected} == expected
    assert "SOME_SECRET" not in env


def test_output_files_are_named_by_patterns(api: Api) -> None:
    job_id = api.submitted("#SBATCH -J pat -o %x.%5j.%%.out -e %u-%N.err\necho out\necho err >&2\n")
    api.wait(job_id)
    assert (api.home / f"pat.{int(job_id):05}.%.out").read_text() == "out\n"
    user = api.sandbox.state.user.name
    assert (api.home / f"{user}-nid001.err").read_text() == "err\n"


@pytest.mark.parametrize(
    ("mode", "expected"), [("append", "before\na\n"), ("truncate", "t\n"), ("", "unset\n")]
)
def test_output_is_appended_to_where_the_script_wants_it(api: Api, mode: str, expected: str) -> None:
    (api.home / "log").write_text("before\n")
    directive = f"#SBATCH --open-mode={mode}" if mode else ""
    job_id = api.submitted(f"#SBATCH -o log\n{directive}\necho ${{SLURM_OPEN_MODE-unset}}\n")
    api.wait(job_id)
    assert (api.home / "log").read_text() == expected


def test_stopping_the_sandbox_ends_its_jobs_and_removes_its_files(start: Start) -> None:
    api = start()
    (api.home / "pid").unlink(missing_ok=True)
    api.submitted("sleep 60 &\necho $! > pid\ntrap '' TERM\nwait\nsleep 60\n")
    pid, root = int(wait_for_file(api.home / "pid")), api.sandbox.root
    (api.home / "closed" / "deeper").mkdir(parents=True)
    (api.home / "closed").chmod(0)
    api.sandbox.__exit__(None, None, None)
    assert gone(pid)
    assert not root.exists()


def test_attached_commands_run_inside_the_job(api: Api) -> None:
    job_id = api.submitted("sleep 60\n")
    api.wait(job_id, "RUNNING")
    url = f"{api.jobs_url}/{job_id}/attach"
    command = "bash -c 'echo $SLURM_JOB_ID > attached'"
    assert api.http.put(url, json={"command": command}).status_code == 204
    assert (api.home / "attached").read_text().strip() == job_id
    assert api.http.put(url, json={"command": "false"}).status_code == 500
    api.http.delete(f"{api.jobs_url}/{job_id}")
    api.wait(job_id)
    assert api.http.put(url, json={"command": "true"}).status_code == 500


@pytest.mark.parametrize(
    ("directive", "complaint"),
    [
        ("--reservation=none", "Requested reservation is invalid"),
        ("--constraint=gpu", "Invalid feature specification"),
        ("--nodelist=other1", "Invalid node name specified"),
        ("--array=x", "--array"),
        ("--time=soon", "Invalid time limit specification"),
        ("--nodes=many", "Invalid numeric value"),
        ("'unbalanced", "No closing quotation"),
    ],
)
def test_sbatch_would_refuse(api: Api, directive: str, complaint: str) -> None:
    answer = api.submit(f"#!/bin/bash\n#SBATCH {directive}\ntrue\n")
    assert answer.status_code == 500
    assert "sbatch: error: " in answer.json()["message"]
    assert complaint in answer.json()["message"]


def test_unknown_directives_are_ignored(api: Api) -> None:
    job, _ = api.ran("#SBATCH --mem=4G --gres gpu:1 --hint=nomultithread\ntrue\n#SBATCH --array=0-9\n")
    assert job["status"]["state"] == "COMPLETED"
    assert "_" not in job["jobId"]


def test_nodes_show_what_is_taken(start: Start) -> None:
    api = start(nodes=3, cpus=2)
    api.wait(api.submitted("#SBATCH -n3\nsleep 60\n"), "RUNNING")
    nodes = api.http.get(f"/status/{api.system}/nodes").json()["nodes"]
    assert [node["state"] for node in nodes] == [["ALLOCATED"], ["MIXED"], ["IDLE"]]
    assert [node["idleCpus"] for node in nodes] == [0, 1, 2]


def test_a_job_with_a_bar_in_its_name_breaks_each_list_that_it_is_in(api: Api) -> None:
    good, _ = api.ran("#SBATCH --job-name=good\ntrue\n")
    bad = api.submitted("#SBATCH --job-name='a|b'\n#SBATCH -o bad.out\necho made\n")
    wait_for_file(api.home / "bad.out")
    for url in (api.jobs_url, f"{api.jobs_url}/{bad}"):
        answer = api.http.get(url)
        assert (answer.status_code, answer.json()["message"]) == (500, "Error executing Slurm command.")
    assert api.http.get(api.jobs_url, params={"name": "good"}).json()["jobs"] == [good]
