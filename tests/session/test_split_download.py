"""Outputs that are too large for one request where the gateway has no storage."""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import TransferMethod
from reframe_firecrest.model.job import JobHandle, JobSpec, Phase
from reframe_firecrest.staging.split_script import NAME
from tests.session.conftest import Stage, eventually

LIMIT = 1 << 16
RESULT = random.Random(3).randbytes(5 * LIMIT).hex()


@pytest.fixture(autouse=True)
def no_storage(stage: Stage) -> None:
    stage.gateway.capabilities = replace(
        stage.gateway.capabilities, transfer=TransferMethod.NONE, max_direct_download=LIMIT
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reframe_firecrest.session.split_download.LISTINGS", (0.0, 0.01))
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    monkeypatch.setattr("reframe_firecrest.session.duplicates.LATEST_EFFECT", 0.1)


def split_jobs(stage: Stage) -> list[str]:
    """Return the ids of the jobs that split files."""
    return [job_id for job_id, script in stage.gateway.sent.items() if f"--job-name={NAME}" in script]


def run_split_job(stage: Stage, number: int = 0) -> str:
    """Wait for a job that splits files, and do what its script does."""
    eventually(lambda: len(split_jobs(stage)) > number, "the job")
    job_id = split_jobs(stage)[number]
    variables = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": job_id}
    done = subprocess.run(
        ["sh", "-c", stage.gateway.sent[job_id]], env=variables, check=False, capture_output=True, timeout=60
    )
    stage.gateway.finish(job_id, "FAILED" if done.returncode else "COMPLETED", done.returncode)
    return job_id


def run(stage: Stage, *names: str, **files: str) -> list[JobHandle]:
    """Run jobs that make files."""
    handles = [stage.submit(name) for name in names]
    for job_id in stage.submitted(*handles):
        stage.gateway.finish(job_id, files=files)
    return handles


def results(stage: Stage, *handles: JobHandle) -> list[str]:
    assert all(handle.ended.wait(15) for handle in handles)
    assert [(handle.state.phase, handle.state.error) for handle in handles] == [(Phase.DONE, None)] * len(
        handles
    )
    return [Path(handle.spec.directory, "result").read_text() for handle in handles]


def test_a_large_result_arrives_in_parts(stage: Stage) -> None:
    [handle] = run(stage, "a", result=RESULT)
    run_split_job(stage)
    assert results(stage, handle) == [RESULT]
    assert stage.gateway.calls["download"] == 0
    assert stage.gateway.calls["download_part"] > 5


def test_a_small_result_needs_no_job(stage: Stage) -> None:
    assert results(stage, *run(stage, "a", result="small")) == ["small"]
    assert split_jobs(stage) == []


def test_a_result_that_compresses_well_needs_no_job(stage: Stage) -> None:
    assert results(stage, *run(stage, "a", result="x" * LIMIT)) == ["x" * LIMIT]
    assert split_jobs(stage) == []


def test_the_parts_are_removed(stage: Stage) -> None:
    [handle] = run(stage, "a", result=RESULT)
    run_split_job(stage)
    results(stage, handle)
    assert list((stage.remote / ".transfer").glob("split-*")) == []


def test_results_that_are_waiting_share_a_job(stage: Stage) -> None:
    stage.gateway.apart = True
    handles = run(stage, "a", "b", result=RESULT)
    job_id = run_split_job(stage)
    assert results(stage, *handles) == [RESULT] * 2
    assert split_jobs(stage) == [job_id]


def test_the_job_has_the_access_of_the_test(stage: Stage) -> None:
    directory = stage.directory("a")
    options = "#SBATCH -A users\n#SBATCH --partition=debug\n#SBATCH --job-name=x\n"
    script = f"#!/bin/bash\n{options}\ntrue\n"
    path = directory / "job.sh"
    path.write_text(script)
    spec = JobSpec("rfm_a", str(directory), "job.sh", ("job.out", "job.err"), account="other")
    handle = stage.session.submit(spec)
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id, files={"result": RESULT})
    split = run_split_job(stage)
    results(stage, handle)
    lines = stage.gateway.sent[split].splitlines()
    assert {"#SBATCH --account=users", "#SBATCH --partition=debug"} <= set(lines)
    assert stage.gateway.submitted[-1][2] is None


def test_a_job_that_fails_leaves_the_output_and_reports_it(stage: Stage) -> None:
    [handle] = run(stage, "a", result=RESULT)
    eventually(lambda: split_jobs(stage), "the job")
    for archive in (stage.remote / ".transfer").glob("out-*"):
        archive.unlink()
    run_split_job(stage)
    assert handle.ended.wait(15)
    assert Path(handle.spec.directory, "job.out").read_text() == "out"
    assert any("splitting a large file" in text for _, text in stage.said())


def test_a_part_that_arrives_damaged_is_fetched_again(stage: Stage) -> None:
    [handle] = run(stage, "a", result=RESULT)
    stage.gateway.damaged_parts = 1
    run_split_job(stage)
    assert results(stage, handle) == [RESULT]


def test_a_lost_answer_to_the_submission_does_no_harm(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.failures["submit"] = [errors.UncertainError("cut")]
    stage.gateway.finish(job_id, files={"result": RESULT})
    run_split_job(stage)
    assert results(stage, handle) == [RESULT]


def test_at_the_end_of_the_session_the_job_is_cancelled(stage: Stage) -> None:
    run(stage, "a", result=RESULT)
    eventually(lambda: split_jobs(stage), "the job")
    eventually(lambda: stage.gateway.calls["jobs"] or stage.gateway.calls["job"], "a list")
    stage.session.shutdown()
    assert split_jobs(stage)[0] in stage.gateway.cancelled
