"""Common inputs of tests are sent once per session, and jobs never share a copy."""

from __future__ import annotations

import subprocess
from pathlib import Path

from reframe_firecrest.model import errors
from reframe_firecrest.model.job import JobHandle, JobSpec, Phase
from reframe_firecrest.model.job_shape import JobShape
from tests.session.conftest import Stage, eventually

BIG = {"data": "x" * 10_000}


def members(stage: Stage) -> list[str]:
    return [name for archive in stage.gateway.uploaded for name in archive]


def run_script(stage: Stage, handle: JobHandle) -> None:
    """Do what the job script does on the system."""
    script = Path(stage.remote, Path(handle.spec.directory).name, "job.sh")
    subprocess.run(["bash", script], cwd=script.parent, timeout=20, check=True)


def test_what_two_tests_have_travels_once(stage: Stage) -> None:
    jobs = [stage.submit(f"t{number}", files=BIG) for number in range(5)]
    stage.submitted(*jobs)
    late = stage.submit("late", files=BIG)
    stage.submitted(late)
    for job in (*jobs, late):
        run_script(stage, job)
        assert (stage.remote / Path(job.spec.directory).name / "data").read_text() == BIG["data"]
    assert [name for name in members(stage) if name.endswith("/data")] == [
        name for name in members(stage) if "/inputs/" in name
    ]
    assert sum("/inputs/" in name for name in members(stage)) == 1


def test_what_one_test_has_goes_with_it(stage: Stage) -> None:
    stage.submitted(stage.submit("a", files=BIG), stage.submit("b", files={"data": "y" * 10_000}))
    assert not any("/inputs/" in name for name in members(stage))
    assert "inputs" not in (stage.remote / "a" / "job.sh").read_text()


def test_what_was_sent_with_one_test_goes_into_the_store_for_the_next_ones(stage: Stage) -> None:
    stage.submitted(stage.submit("a", files=BIG))
    stage.submitted(stage.submit("b", files=BIG))
    stage.submitted(stage.submit("c", files=BIG))
    assert sum(name.endswith("/data") for name in members(stage)) == 2


def test_small_files_are_not_worth_it(stage: Stage) -> None:
    stage.submitted(*(stage.submit(f"t{number}", files={"small": "s"}) for number in range(3)))
    assert sum(name.endswith("/small") for name in members(stage)) == 3


def test_the_tasks_of_an_array_get_theirs_before_they_start(stage: Stage) -> None:
    specs = [
        JobSpec(
            "rfm",
            str(stage.directory(name, BIG)),
            "job.sh",
            ("job.out", "job.err"),
            shape=JobShape(frozenset({1})),
            numbered=True,
        )
        for name in ("a", "b")
    ]
    stage.submitted(*(stage.session.submit(spec) for spec in specs))
    assert not any("/inputs/" in name for name in members(stage))


def test_it_can_be_switched_off(stage: Stage) -> None:
    stage.settings = stage.settings.model_copy(update={"share_inputs": False})
    stage.submitted(*(stage.submit(f"t{number}", files=BIG) for number in range(3)))
    assert not any("/inputs/" in name for name in members(stage))


def test_copied_inputs_are_neither_fetched_nor_sent_again_nor_removed_here(stage: Stage) -> None:
    jobs = [stage.submit(name, files=BIG) for name in ("a", "b")]
    for job, job_id in zip(jobs, stage.submitted(*jobs), strict=True):
        run_script(stage, job)
        stage.gateway.finish(job_id)
    eventually(lambda: all(job.ended.is_set() for job in jobs))
    assert (stage.local / "a" / "data").read_text() == BIG["data"]
    before = len(stage.gateway.uploaded)
    again = stage.session.submit(jobs[0].spec)
    stage.submitted(again)
    # The script names its submission, so each submission has another one.
    assert stage.gateway.uploaded[before:] == [["a/job.sh"]]


def test_a_job_that_never_ran_has_copied_nothing(stage: Stage) -> None:
    jobs = [stage.submit(name, files=BIG) for name in ("a", "b")]
    ids = stage.submitted(*jobs)
    stage.session.cancel(jobs)
    assert all(job.state.phase is Phase.CANCELLED for job in jobs)
    stage.directory("a", BIG)
    (stage.local / "a" / "job.sh").write_text("#!/bin/bash\necho again\n")
    again = stage.session.submit(jobs[0].spec)
    stage.submitted(again)
    run_script(stage, again)
    assert (stage.remote / "a" / "data").read_text() == BIG["data"]
    assert len(ids) == 2


def test_an_archive_that_fails_is_no_source_for_others(stage: Stage) -> None:
    stage.gateway.failures["extract"] = [errors.RejectedError("tar: something is wrong")]
    jobs = [stage.submit(f"t{number}", files=BIG) for number in range(3)]
    stage.submitted(*jobs)
    for job in jobs:
        run_script(stage, job)
        assert (stage.remote / Path(job.spec.directory).name / "data").read_text() == BIG["data"]


def test_the_store_is_gone_with_the_transfer_directory(stage: Stage) -> None:
    stage.submitted(*(stage.submit(f"t{number}", files=BIG) for number in range(2)))
    assert list((stage.remote / ".transfer" / "inputs").iterdir())
    stage.close()
    assert not (stage.remote / ".transfer").exists()
