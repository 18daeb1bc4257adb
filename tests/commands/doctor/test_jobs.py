"""The job of a diagnosis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from reframe_firecrest.commands.doctor.findings import Finding, Status
from reframe_firecrest.commands.doctor.jobs import OUTPUT, check_job, job_script
from reframe_firecrest.model.slurm_job import JobPart
from tests.commands.doctor.cases import Patient, for_ever
from tests.gateway.helpers import run

OPTIONS = ("--partition=debug", "#BB persistent")


def job(patient: Patient) -> Finding:
    return patient.check(partial(check_job, options=OPTIONS))


def ending(patient: Patient, state: str = "COMPLETED", code: int = 0, output: str | None = None) -> None:
    """Let the job end in a state, with an output or the requested one."""

    async def wait(job_id: str) -> Sequence[JobPart]:
        script, directory, _ = patient.gateway.submitted[0]
        text = Path(script).read_text().rpartition("echo ")[2] if output is None else output
        patient.gateway.finish(job_id, state, code)
        if text:
            Path(directory, OUTPUT).write_text(text)
        return await patient.gateway.job(job_id)

    patient.waiting = wait


def test_options_become_directives_and_directives_stay_what_they_are() -> None:
    lines = job_script(OPTIONS).splitlines()
    assert lines[0] == "#!/bin/sh"
    assert lines[-3:] == ["#SBATCH --partition=debug", "#BB persistent", "echo reframe-firecrest"]
    assert "#SBATCH --time=00:01:00" in lines


def test_a_job_that_runs_is_green_and_leaves_nothing(patient: Patient) -> None:
    ending(patient)
    patient.settings["account"] = "staff"
    found = job(patient)
    assert found.status is Status.GREEN
    assert "ran on nid[001-002]" in found.detail
    [(_, directory, account)] = patient.gateway.submitted
    assert (directory.startswith(str(patient.basedir)), account) == (True, "staff")
    assert patient.left() == []


def test_an_account_among_the_options_is_not_overridden(patient: Patient) -> None:
    ending(patient)
    patient.settings["account"] = "staff"
    found = patient.check(partial(check_job, options=("-A users",)))
    assert found.status is Status.GREEN
    [(_, _, account)] = patient.gateway.submitted
    assert account is None


@pytest.mark.parametrize(("state", "code"), [("FAILED", 1), ("NODE_FAIL", 0), ("COMPLETED", 3)])
def test_a_job_that_fails_is_red(patient: Patient, state: str, code: int) -> None:
    ending(patient, state, code)
    found = job(patient)
    assert (found.status, f"{state} with exit code {code}" in found.detail) == (Status.RED, True)


def test_another_output_is_red(patient: Patient) -> None:
    ending(patient, output="Welcome!")
    assert "not what its script prints" in job(patient).detail


def test_a_job_that_does_not_start_is_cancelled(patient: Patient) -> None:
    patient.waiting, patient.timeout = for_ever, 0.01
    found = job(patient)
    assert found.status is Status.YELLOW
    assert "was PENDING (Resources)" in found.detail
    assert patient.gateway.cancelled == ["101"]
    assert patient.left() == []


def test_a_user_who_gives_up_leaves_neither_job_nor_directory(patient: Patient) -> None:
    waits = asyncio.Event()

    async def wait(job_id: str) -> Sequence[JobPart]:
        waits.set()
        return await for_ever(job_id)

    patient.waiting = wait
    context = patient.context()

    async def give_up() -> None:
        task = asyncio.ensure_future(check_job(context, OPTIONS))
        await waits.wait()
        task.cancel()
        await asyncio.wait([task])

    run(give_up())
    assert patient.gateway.cancelled == ["101"]
    assert patient.left() == []
