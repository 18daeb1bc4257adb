"""Jobs and their tasks, and what can go wrong between the two."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from firecrest_sandbox import FaultRule
from firecrest_sandbox.fault_injection.faults import FaultKind
from tests.firecrest_sandbox.v1.conftest import V1

Start = Any
SUBMIT = r"^/compute/jobs/path$"


def hit(v1: V1, kind: FaultKind, path: str = SUBMIT) -> None:
    v1.sandbox.faults.add(FaultRule(path=path, kind=kind))


def test_a_job_whose_submission_warned_runs_although_its_task_failed(v1: V1) -> None:
    hit(v1, FaultKind.WARN)
    task = v1.ended(v1.submit("#SBATCH -J warned\ntrue\n"))
    assert task["status"] == "400"
    assert task["data"].startswith("sbatch: Warning: ")
    [row] = [row for row in v1.accounted() if row["name"] == "warned"]
    assert v1.until(row["jobid"], "COMPLETED")


def test_a_stalled_task_stays_queued_and_nothing_is_done(v1: V1) -> None:
    hit(v1, FaultKind.STALL)
    answer = v1.submit("#SBATCH -J stalled\ntrue\n")
    v1.submitted("#SBATCH -J next\ntrue\n")
    assert v1.task(answer.json()["task_id"])["status"] == "100"
    names = [row["name"] for row in v1.accounted()]
    assert "next" in names
    assert "stalled" not in names


def test_a_task_may_stall_although_its_job_runs(v1: V1) -> None:
    hit(v1, FaultKind.STALL_AFTER)
    answer = v1.submit("#SBATCH -J unseen\ntrue\n")
    while not (rows := [row for row in v1.accounted() if row["name"] == "unseen"]):
        time.sleep(0.02)
    assert v1.until(rows[0]["jobid"], "COMPLETED")
    assert v1.task(answer.json()["task_id"])["status"] == "100"


def test_what_has_no_task_is_served_in_spite_of_such_faults(v1: V1) -> None:
    hit(v1, FaultKind.STALL, "^/utilities/whoami$")
    assert v1.get("/utilities/whoami").status_code == 200


def test_accounting_may_know_a_new_job_only_after_a_while(start_v1: Start) -> None:
    v1 = start_v1(accounting_delay=2.0)
    before = time.monotonic()
    job_id = v1.submitted("sleep 60\n")
    seen: list[tuple[str, ...]] = []
    while not seen or seen[-1] != ("RUNNING", "job.sh", "normal", "1"):
        rows = v1.accounted(job_id)
        shown = tuple(rows[0][key] for key in ("state", "name", "partition", "nodes")) if rows else ()
        if not seen or seen[-1] != shown:
            seen.append(shown)
    assert seen == [(), ("PENDING", "allocation", "", "0"), ("RUNNING", "job.sh", "normal", "1")]
    assert time.monotonic() - before >= 2.0


def test_a_job_that_ended_may_be_a_stub_with_its_true_state(start_v1: Start) -> None:
    v1 = start_v1(accounting_delay=4.0)
    job_id = v1.submitted("exit 3\n")
    [row] = v1.until(job_id, "FAILED")
    assert (row["name"], row["partition"], row["exit_code"]) == ("allocation", "", "3:0")


def test_arrays_while_they_wait_and_when_they_are_cancelled(v1: V1) -> None:
    v1.submitted("#SBATCH --exclusive -N4\nsleep 60\n", "fill.sh")
    array = v1.submitted("#SBATCH --array=0-3,7%2\ntrue\n", "array.sh")
    [row] = v1.accounted(array)
    assert (row["jobid"], row["nodelist"]) == (f"{array}_[0-3,7%2]", "None assigned")
    assert v1.ended(v1.delete(f"/compute/jobs/{array}_7"))["status"] == "200"
    assert v1.ended(v1.delete(f"/compute/jobs/{array}"))["status"] == "200"
    rows = {row["jobid"]: row for row in v1.accounted(array)}
    assert list(rows) == [f"{array}_[0-3,7]"]
    assert rows[f"{array}_[0-3,7]"]["state"].startswith("CANCELLED by ")
    for job in v1.accounted():
        v1.ended(v1.delete(f"/compute/jobs/{job['jobid']}"))


def test_a_waiting_array_costs_its_list_a_pause(start_v1: Start) -> None:
    v1 = start_v1(operation_timeout=0.5)
    v1.submitted("#SBATCH --exclusive -N4\nsleep 60\n", "fill.sh")
    array = v1.submitted("#SBATCH --array=0-1\ntrue\n", "array.sh")
    before = time.monotonic()
    task = v1.ended(v1.get("/compute/jobs", jobs=array))
    assert time.monotonic() - before >= 0.5
    assert task["data"]["0"]["job_file_out"] == "Not available"


def test_a_list_of_more_jobs_than_a_command_line_takes_is_refused(v1: V1) -> None:
    def ids(count: int) -> str:
        return ",".join(str(10_000_000 + number) for number in range(count))

    assert v1.ended(v1.get("/compute/acct", jobs=ids(320)))["status"] == "200"
    refused = v1.ended(v1.get("/compute/acct", jobs=ids(340)))
    assert (refused["status"], refused["data"]) == ("400", "Finished with errors")
    answer = v1.get("/compute/acct", jobs=ids(400))
    assert answer.status_code == 400
    assert "Request Line is too large (4421 &gt; 4094)" in answer.text


def test_only_a_whole_day_is_understood_as_a_first_one(v1: V1) -> None:
    job_id = v1.submitted("true\n")
    v1.until(job_id, "COMPLETED")
    assert any(row["jobid"] == job_id for row in v1.accounted(starttime="2001-01-01"))
    assert not any(row["jobid"] == job_id for row in v1.accounted(starttime="2100-01-01"))
    assert any(row["jobid"] == job_id for row in v1.accounted(starttime="2100-01-01T00:00:00"))


def test_variables_reach_the_job(v1: V1) -> None:
    job_id = v1.submitted('echo "$A-$B"\n', "env.sh", env='{"A": "two words", "B": 3}')
    v1.until(job_id, "COMPLETED")
    assert (v1.home / f"slurm-{job_id}.out").read_text() == "two words-3\n"


@pytest.mark.parametrize("env", ["no json", '["a list"]'])
def test_variables_have_to_be_an_object(v1: V1, env: str) -> None:
    answer = v1.submit("true\n", env=env)
    assert answer.status_code == 404
    assert answer.json()["error"] == "Invalid JSON environment provided"
    uploaded = v1.http.post(
        "/compute/jobs/upload", data={"env": env}, files={"file": ("a.sh", b"#!/bin/sh\n")}
    )
    assert uploaded.status_code == 404
    assert uploaded.json()["error"] == f"Invalid JSON in 'env' variable ({env})"


def test_a_script_that_is_too_large_is_refused(start_v1: Start) -> None:
    v1 = start_v1(max_ops_file_size=1024 * 1024)
    files = {"file": ("a.sh", b"#!/bin/sh\n" + b"#" * 1024 * 1024)}
    answer = v1.http.post("/compute/jobs/upload", files=files)
    assert answer.status_code == 413
    assert answer.json() == {"description": "Failed to upload batch script. The file is over 1 MB"}


def test_a_job_can_be_submitted_only_with_a_script(v1: V1) -> None:
    assert v1.http.post("/compute/jobs/upload", data={"account": "sandbox"}).json() == {
        "description": "Failed to submit job file",
        "error": "No batch file part",
    }
    assert v1.post("/compute/jobs/path").json() == {
        "description": "Failed to submit job",
        "error": "'targetPath' not specified",
    }


@pytest.mark.parametrize(("one_worker", "at_least"), [(True, 0.8), (False, 0.2)])
def test_services_may_take_one_request_at_a_time(start_v1: Start, one_worker: bool, at_least: float) -> None:
    v1 = start_v1(one_worker=one_worker, latency=0.2)
    before = time.monotonic()
    asked = [threading.Thread(target=v1.get, args=("/utilities/whoami",)) for _ in range(4)]
    other = threading.Thread(target=v1.get, args=("/status/parameters",))
    for thread in (*asked, other):
        thread.start()
    other.join()
    assert time.monotonic() - before < 0.8
    for thread in asked:
        thread.join()
    took = time.monotonic() - before
    assert took >= at_least
    assert one_worker or took < 0.8


def test_one_node_is_described_and_an_unknown_one_is_an_error(v1: V1) -> None:
    task = v1.ended(v1.get("/compute/nodes/nid002"))
    [node] = task["data"]
    assert (task["status"], node["NodeName"], node["State"]) == ("200", "nid002", ["IDLE"])
    unknown = v1.ended(v1.get("/compute/nodes/nosuch"))
    assert (unknown["status"], unknown["data"]) == ("400", "Node nosuch not found")
