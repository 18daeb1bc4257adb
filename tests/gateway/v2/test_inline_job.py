"""Scripts that are sent inline, because the gateway submits by slurmrestd."""

from __future__ import annotations

import pytest

from reframe_firecrest.gateway.v2 import inline_job as module
from reframe_firecrest.gateway.v2.inline_job import inline_job
from reframe_firecrest.model import errors


def described(*directives: str, account: str | None = None) -> dict[str, object]:
    script = "\n".join(["#!/bin/bash", *(f"#SBATCH {option}" for option in directives), "true", ""])
    job = dict(inline_job(script, "/scratch/t", account, "'daint' at gw"))
    assert job.pop("script") == script
    assert job.pop("workingDirectory") == "/scratch/t"
    assert job.pop("env") == {"PATH": module.PATH}
    return job


def test_options_become_fields() -> None:
    options = ("--job-name=rfm a", "-p normal", "-A staff", "--constraint=mc", "--reservation maint")
    assert described(
        options[0].replace(" ", "_"), *options[1:], "-o a.out", "--error=a.err", "-i /dev/null"
    ) == {
        "name": "rfm_a",
        "partition": "normal",
        "account": "staff",
        "constraints": "mc",
        "reservation": "maint",
        "standardOutput": "a.out",
        "standardError": "a.err",
        "standardInput": "/dev/null",
    }


def test_the_given_account_overrides_that_of_the_script() -> None:
    assert described("-A users", account="staff") == {"account": "staff"}


@pytest.mark.parametrize(
    "option",
    [
        "--ntasks=1",
        "-n 1",
        "-N1",
        "--nodes=1-1",
        "-c 1",
        "--ntasks-per-node=1",
        "--open-mode=append",
        '--comment="a test"',
        "-D /s",
    ],
)
def test_options_that_change_nothing_are_left_out(option: str) -> None:
    assert described(option) == {}


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--ntasks=2", "--ntasks"),
        ("-n2", "--ntasks"),
        ("-N 1-4", "--nodes"),
        ("--array=0-3", "--array"),
        ("--exclusive", "--exclusive"),
        ("--gres=gpu:1", "--gres"),
        ("-x nid001", "-x"),
        ("hetjob", "hetjob"),
    ],
)
def test_options_that_slurmrestd_would_ignore_are_refused(option: str, name: str) -> None:
    with pytest.raises(errors.RejectedError, match=rf"options of its script: -*{name}; ask the site"):
        described("--job-name=a", option)


def test_a_time_limit_that_has_no_effect_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    module._report.cache_clear()
    for _ in range(2):
        assert described("--time=0:10:0") == {}
    [found] = [record.getMessage() for record in caplog.records]
    assert "ignores --time of job scripts" in found


def test_a_script_above_slurms_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_SCRIPT", 20)
    with pytest.raises(errors.RejectedError, match="more than Slurm's default limit, 20 B"):
        described("--job-name=a")
