"""Removal on the system: the fewest directories without any file that is kept."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from functools import partial

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.session import remote_cleanup
from reframe_firecrest.session.remote_cleanup import removable
from tests.session.conftest import Stage, eventually


@pytest.mark.parametrize(
    ("gone", "kept", "expected"),
    [
        (["s/p/e/a", "s/p/e/b", ".transfer"], [], ["."]),
        (["s/p/e/a", "s/p/e/b", ".transfer"], ["s/p/e/b"], [".transfer", "s/p/e/a"]),
        (["s/p/e/a", "s/p/f/b", "s/p/f/c"], ["s/p/e/b"], ["s/p/e/a", "s/p/f"]),
        (["s/p/e/a", "t/p/e/a"], ["s/p/e/b"], ["s/p/e/a", "t"]),
        (["s/a"], ["s/a"], []),
        (["s/a/below"], ["s/a"], []),
        (["s/a"], ["s/a/below"], []),
    ],
)
def test_the_fewest_directories(gone: list[str], kept: list[str], expected: list[str]) -> None:
    assert removable(gone, kept) == expected


def finish(stage: Stage, *names: str) -> None:
    jobs = [stage.submit(name) for name in names]
    for job_id in stage.submitted(*jobs):
        stage.gateway.finish(job_id)
    eventually(lambda: all(job.ended.is_set() for job in jobs))


def test_the_run_leaves_nothing_when_reframe_keeps_nothing(stage: Stage) -> None:
    finish(stage, "a", "b")
    for name in ("a", "b"):
        shutil.rmtree(stage.local / name)
    stage.close()
    assert not stage.remote.exists()
    assert stage.gateway.calls["remove"] == 1


def test_a_directory_that_a_failed_request_creates_late_is_removed_too(stage: Stage) -> None:
    finish(stage, "a")
    shutil.rmtree(stage.local / "a")
    claims = stage.remote / ".transfer" / "claims"
    stage.gateway.settled_at = time.monotonic() + 1.0
    late = threading.Timer(0.3, partial(claims.mkdir, parents=True, exist_ok=True))
    late.start()
    stage.close()
    late.join()
    assert not stage.remote.exists()


def test_what_reframe_keeps_here_is_kept_there_and_named(stage: Stage) -> None:
    finish(stage, "a", "b")
    shutil.rmtree(stage.local / "a")
    stage.close()
    assert [path.name for path in stage.remote.iterdir()] == ["b"]
    kept = f"1 stage directory kept on the system, below {stage.remote}: b"
    assert (logging.INFO, kept) in stage.said()


def test_a_large_stage_directory_goes_as_soon_as_reframe_has_removed_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_cleanup, "CHECK_INTERVAL", 0.05)
    # Larger than any job script.
    monkeypatch.setattr(remote_cleanup, "LARGE", 20_000)
    small, large = stage.submit("small"), stage.submit("large")
    for job_id, size in zip(stage.submitted(small, large), (10, 40_000), strict=True):
        stage.gateway.finish(job_id, files={"made": "x" * size})
    eventually(lambda: small.ended.is_set() and large.ended.is_set())
    assert stage.gateway.calls["remove"] == 0
    for name in ("small", "large"):
        shutil.rmtree(stage.local / name)
    eventually(lambda: not (stage.remote / "large").exists())
    assert (stage.remote / "small").exists()


def test_a_failure_names_the_stage_directory_on_the_system(stage: Stage) -> None:
    job = stage.submit("a")
    [job_id] = stage.submitted(job)
    stage.gateway.unknown.add(job_id)
    eventually(job.ended.is_set)
    assert str(job.state.error).endswith(f"; its stage directory on the system: {stage.remote}/a")


def test_what_can_not_be_removed_is_reported(stage: Stage) -> None:
    finish(stage, "a")
    shutil.rmtree(stage.local / "a")
    stage.gateway.failures["remove"] = [errors.ForbiddenError("Permission denied")] * 2
    stage.close()
    assert any("could not be removed: Permission denied" in text for _, text in stage.said())
