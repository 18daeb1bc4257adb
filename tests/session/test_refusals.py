"""A refused submission names the refused value, its origin and the remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.job import JobHandle, JobSpec, Phase
from tests.session.conftest import Stage

ACCOUNT = "submitting failed: Invalid account or account/partition combination specified"


def refused(stage: Stage, reason: str, **spec: object) -> JobHandle:
    """Submit a job that Slurm refuses."""
    stage.gateway.failures["submit"] = [errors.RejectedError(reason)]
    directory = stage.directory("a")
    if script := spec.pop("script", ""):
        (directory / "job.sh").write_text(f"#!/bin/bash\n{script}\n")
    own = JobSpec("rfm_a", str(directory), "job.sh", ("job.out", "job.err"))
    handle = stage.session.submit(replace(own, **spec))  # type: ignore[arg-type]
    assert handle.ended.wait(15)
    assert handle.state.phase is Phase.FAILED
    return handle


@pytest.mark.parametrize(
    ("spec", "origin"),
    [
        ({"account": "nosuch"}, "account 'nosuch' is from FIRECREST_ACCOUNT or the setting 'account'"),
        (
            {"transfer_account": "nosuch"},
            "account 'nosuch' is from the access options or the test's job options",
        ),
        (
            {"account": "mine", "transfer_account": "mine", "script": "#SBATCH --account=nosuch"},
            "the account is from the access options or the test's job options",
        ),
        ({}, "no account is set, so Slurm's default was used"),
    ],
)
def test_a_refused_account_is_named_with_its_origin_and_yours(
    stage: Stage, spec: dict[str, object], origin: str
) -> None:
    error = str(refused(stage, ACCOUNT, **spec).state.error)
    assert f"{ACCOUNT}; {origin}; yours: staff, users; set FIRECREST_ACCOUNT, or " in error
    assert "\n" not in error


def test_a_similar_account_is_suggested(stage: Stage) -> None:
    assert "yours: staff, users (did you mean 'staff'?); set" in str(
        refused(stage, ACCOUNT, account="stafff").state.error
    )


def test_without_a_list_of_accounts_the_rest_is_reported(stage: Stage) -> None:
    stage.gateway.failures["accounts"] = [errors.TransientError("down")]
    error = str(refused(stage, ACCOUNT).state.error)
    assert "Slurm's default was used; set FIRECREST_ACCOUNT" in error


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("Invalid qos specification", "the QOS is from --qos in the access options"),
        ("invalid partition specified: nosuch", "the partition is from --partition in the access options"),
        ("QOSMaxSubmitJobPerUserLimit", "set 'resubmit_on_errors'"),
        ("AssocGrpSubmitJobsLimit", "lower its 'max_jobs'"),
    ],
)
def test_a_refused_qos_and_a_limit_are_explained(stage: Stage, reason: str, remedy: str) -> None:
    assert remedy in str(refused(stage, reason).state.error)


def test_other_refusals_are_unchanged(stage: Stage) -> None:
    assert str(refused(stage, "More nodes than there are").state.error).startswith(
        "More nodes than there are"
    )
    assert stage.gateway.calls["accounts"] == 0
