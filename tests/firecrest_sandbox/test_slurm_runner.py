"""The Slurm runner with Slurm's commands replaced by scripts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from firecrest_sandbox import SandboxConfig
from firecrest_sandbox.errors import SchedulerError
from firecrest_sandbox.records import JobDescription
from firecrest_sandbox.runners.base import ResourceKind
from firecrest_sandbox.runners.slurm.runner import SlurmRunner


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SlurmRunner:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return SlurmRunner(SandboxConfig(runner="slurm"), user="me", home=tmp_path, version="22.05.8")


def command(directory: Path, name: str, text: str) -> None:
    script = directory / name
    script.write_text(f"#!/bin/bash\n{text}")
    script.chmod(0o755)


def test_a_warning_of_sbatch_is_kept(runner: SlurmRunner, tmp_path: Path) -> None:
    command(tmp_path, "sbatch", "echo Submitted batch job 7\necho sbatch: Warning >&2\n")
    description = JobDescription(working_directory=str(tmp_path), script_path="run.sh")
    receipt = asyncio.run(runner.submit(description))
    assert (receipt.job_id, receipt.warning) == ("7", "sbatch: Warning\n")


def test_rows_of_accounting_are_asked_for_by_id_and_day(runner: SlurmRunner, tmp_path: Path) -> None:
    row = "7|normal|job|me|RUNNING|2026-01-31T12:00:00|00:00:01|Unknown|1|nid001|0:0|00:00:01"
    command(tmp_path, "sacct", f'echo "$SLURM_TIME_FORMAT$*" > {tmp_path}/asked; echo "{row}"\n')
    [found] = asyncio.run(runner.account(["7", "8_1"], since="2026-01-31"))
    assert (found["JobID"], found["Start"], found["Elapsed"]) == ("7", "2026-01-31T12:00:00", "00:00:01")
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("-X --noheader --parsable2 ")
    assert "--jobs=7,8_1 --starttime=2026-01-31" in asked


def test_rows_of_the_queue_are_the_users(runner: SlurmRunner, tmp_path: Path) -> None:
    row = "7|normal|job|me|PENDING|0:00|N/A|30:00|1|(Priority)"
    command(tmp_path, "squeue", f'echo "$*" > {tmp_path}/asked; echo "{row}"\n')
    [found] = asyncio.run(runner.queue([]))
    assert (found["State"], found["TimeLeft"], found["ReasonList"]) == ("PENDING", "30:00", "(Priority)")
    asked = (tmp_path / "asked").read_text()
    assert "--user=me" in asked
    assert "--jobs" not in asked


def test_what_scontrol_does_not_know_is_its_complaint(runner: SlurmRunner, tmp_path: Path) -> None:
    command(tmp_path, "scontrol", "echo Node nope not found; exit 1\n")
    with pytest.raises(SchedulerError) as refused:
        asyncio.run(runner.show(ResourceKind.NODES, "nope"))
    assert refused.value.stderr == "Node nope not found\n"
