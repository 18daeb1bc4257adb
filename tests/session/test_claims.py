"""Submissions without an answer, and what jobs report about their own run."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.job import JobHandle, JobSpec, Phase
from reframe_firecrest.model.selection import Selection
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.staging.markers import PREFIX
from tests.session.conftest import Stage, eventually

CUT = errors.UncertainError("cut")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    monkeypatch.setattr("reframe_firecrest.session.duplicates.LATEST_EFFECT", 0.1)


def submit_cut(stage: Stage, name: str = "a") -> tuple[JobHandle, str]:
    """Hand over a job whose first submission is not answered; returns the id that is followed."""
    stage.gateway.failures["submit"] = [CUT]
    handle = stage.submit(name)
    [job_id] = stage.submitted(handle)
    return handle, job_id


def late_job(stage: Stage, name: str = "a") -> str:
    """Let the gateway execute the submission whose connection was closed."""
    directory = str(stage.remote / name)
    return stage.gateway.start(f"{directory}/job.sh", directory)


def test_the_end_has_more_time_where_a_job_may_still_come(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, followed = submit_cut(stage)
    stage.gateway.finish(followed)
    assert handle.ended.wait(10)
    times: list[float] = []

    def note(work: Coroutine[Any, Any, None], patience: float) -> None:
        work.close()
        times.append(patience)

    with monkeypatch.context() as patch:
        patch.setattr("reframe_firecrest.session.duplicates.LATEST_EFFECT", 300.0)
        patch.setattr(reactor(), "run", note)
        stage.session.shutdown(15.0)
    assert 15.0 < max(times) <= 315.0


class TestExactlyOnce:
    def test_the_verdict_is_that_of_the_job_that_runs_the_script(self, stage: Stage) -> None:
        handle, followed = submit_cut(stage)
        runs = late_job(stage)
        stage.gateway.begin(runs)
        stage.gateway.finish(followed)
        eventually(lambda: handle.state.job_id == runs, "the other job's id")
        assert handle.state.phase is Phase.SUBMITTED
        assert not handle.ended.is_set()
        stage.gateway.finish(runs, "FAILED", 7, files={"result": "made"})
        assert handle.ended.wait(10)
        state = handle.state
        assert (state.phase, state.job_id, state.state, state.exit_code) == (Phase.DONE, runs, "FAILED", 7)
        assert (stage.local / "a/result").read_text() == "made"

    def test_it_is_so_as_well_if_the_gateway_answered_and_queued_two(self, stage: Stage) -> None:
        handle = stage.submit("a")
        [followed] = stage.submitted(handle)
        runs = late_job(stage)
        stage.gateway.begin(runs)
        stage.gateway.finish(followed)
        stage.gateway.finish(runs, "FAILED", 7)
        assert handle.ended.wait(10)
        assert (handle.state.job_id, handle.state.exit_code) == (runs, 7)

    def test_what_waits_beside_the_job_is_cancelled_when_it_has_ended(self, stage: Stage) -> None:
        handle, followed = submit_cut(stage)
        duplicate = late_job(stage)
        stage.gateway.finish(followed)
        assert handle.ended.wait(10)
        assert (handle.state.phase, handle.state.job_id) == (Phase.DONE, followed)
        assert stage.gateway.cancelled == [duplicate]

    def test_a_job_that_comes_after_that_is_cancelled_at_the_end(self, stage: Stage) -> None:
        handle, followed = submit_cut(stage)
        stage.gateway.finish(followed)
        assert handle.ended.wait(10)
        duplicate = late_job(stage)
        stage.close()
        assert stage.gateway.cancelled == [duplicate]

    def test_a_job_that_is_cancelled_before_it_runs_does_not_count(self, stage: Stage) -> None:
        handle, followed = submit_cut(stage)
        runs = late_job(stage)
        stage.gateway.begins = False
        stage.gateway.finish(followed, "CANCELLED")
        eventually(lambda: handle.state.job_id == runs, "the other job's id")
        stage.gateway.begins = True
        stage.gateway.finish(runs)
        assert handle.ended.wait(10)
        assert (handle.state.phase, handle.state.state) == (Phase.DONE, "COMPLETED")

    def test_a_refusal_after_a_lost_answer_may_be_due_to_the_job_that_is_there(self, stage: Stage) -> None:
        stage.gateway.unsure = 2
        stage.gateway.failures["submit"] = [CUT, errors.RejectedError("QOSMaxSubmitJobPerUserLimit")]
        (stage.remote / "a").mkdir(parents=True)
        job_id = stage.gateway.start("job.sh", str(stage.remote / "a"))
        assert stage.submitted(stage.submit("a")) == [job_id]

    def test_a_submission_that_failed_can_not_run_any_more(self, stage: Stage) -> None:
        stage.gateway.failures["submit"] = [CUT] * 3
        handle = stage.submit("a")
        assert handle.ended.wait(10)
        assert handle.state.phase is Phase.FAILED
        [claim] = (stage.remote / ".transfer/claims").iterdir()
        assert claim.is_dir()

    def test_a_job_that_runs_a_failed_submission_is_cancelled(self, stage: Stage) -> None:
        handle, followed = submit_cut(stage)
        runs = late_job(stage)
        stage.gateway.begin(runs)
        stage.gateway.failures["make_directory"] = [errors.RejectedError("mkdir: File exists")]
        stage.session.cancel([handle])
        eventually(lambda: sorted(stage.gateway.cancelled) == [followed, runs], "both cancels")

    def test_a_job_that_nothing_is_known_of_fails_with_a_reason(self, stage: Stage) -> None:
        handle, followed = submit_cut(stage)
        stage.gateway.begins = False
        stage.gateway.finish(followed)
        assert handle.ended.wait(15)
        assert handle.state.phase is Phase.FAILED
        assert "without a sign that the test's commands have begun" in str(handle.state.error)

    def test_each_submission_has_a_token_of_its_own(self, stage: Stage) -> None:
        for _ in range(2):
            handle = stage.submit("a")
            [job_id] = stage.submitted(handle)
            stage.gateway.finish(job_id)
            assert handle.ended.wait(10)
            assert handle.state.phase is Phase.DONE
        assert len(list((stage.remote / ".transfer/claims").iterdir())) == 2

    def test_a_repeated_request_has_the_token_of_the_first(self, stage: Stage) -> None:
        _, followed = submit_cut(stage)
        assert stage.gateway.sent[followed] == stage.gateway.sent[late_job(stage)]


class TestOwnSteps:
    def test_inputs_that_can_not_be_copied_fail_the_test_with_the_reason(self, stage: Stage) -> None:
        big = {"data": "x" * 10_000}
        handles = [stage.submit(name, files=big) for name in ("a", "b")]
        ids = stage.submitted(*handles)
        stage.gateway.begins = False
        for job_id, name in zip(ids, ("a", "b"), strict=True):
            directory = stage.remote / name
            script = stage.gateway.sent[job_id]
            at = script.index("/claims/") + len("/claims/")
            (directory / f"{PREFIX}{script[at : at + 32]}.error").symlink_to("cp: no space")
            stage.gateway.finish(job_id)
        for handle in handles:
            assert handle.ended.wait(10)
            assert handle.state.phase is Phase.FAILED
            assert "could not copy its inputs on the system: cp: no space" in str(handle.state.error)
        # What the job printed is here all the same.
        assert (stage.local / "a/job.out").read_text() == "out"

    @pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY"])
    def test_a_job_without_a_sign_of_its_commands_fails_whatever_it_printed(
        self, stage: Stage, state: str
    ) -> None:
        stage.gateway.begins = False
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        stage.gateway.finish(job_id, state)
        assert handle.ended.wait(15)
        assert handle.state.phase is Phase.FAILED

    @pytest.mark.parametrize("state", ["NODE_FAIL", "CANCELLED"])
    def test_a_job_that_slurm_ended_itself_is_no_failure_of_ours(self, stage: Stage, state: str) -> None:
        stage.gateway.begins = False
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        stage.gateway.finish(job_id, state)
        assert handle.ended.wait(15)
        assert (handle.state.phase, handle.state.state) == (Phase.DONE, state)

    def test_markers_that_a_job_removed_are_looked_for_elsewhere(self, stage: Stage) -> None:
        handle = stage.submit("a", files={"input": "in"})
        [job_id] = stage.submitted(handle)
        stage.gateway.begin(job_id)
        for marker in (stage.remote / "a").glob(f"{PREFIX}*"):
            marker.unlink()
        stage.gateway.begins = False
        stage.gateway.finish(job_id)
        assert handle.ended.wait(10)
        assert handle.state.phase is Phase.DONE

    def test_an_ordinary_job_costs_no_request_more(self, stage: Stage) -> None:
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        stage.gateway.finish(job_id)
        assert handle.ended.wait(10)
        calls = stage.gateway.calls
        assert (calls["list_tree"], calls["list_directory"], calls["make_directory"]) == (1, 0, 1)

    def test_no_marker_is_fetched_or_reported(self, stage: Stage) -> None:
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        stage.gateway.finish(job_id)
        assert handle.ended.wait(10)
        assert sorted(path.name for path in (stage.local / "a").iterdir()) == ["job.err", "job.out", "job.sh"]
        assert not any(PREFIX in text for _level, text in stage.said())


class TestHiddenChanges:
    def end(self, stage: Stage, changes: str | None, selection: Selection | None = None) -> Path:
        """Run a job that changes a file and hides it; returns the stage directory here."""
        files = {"state": "AAAA\n", "input": "kept!", "other": "another size"}
        path = stage.directory("a", files)
        outputs = ("job.out", "job.err")
        spec = JobSpec("a", str(path), "job.sh", outputs, selection=selection or Selection())
        handle = stage.session.submit(spec)
        [job_id] = stage.submitted(handle)
        state = stage.remote / "a/state"
        before = state.stat()
        state.write_text("BBBB\n")
        os.utime(state, ns=(before.st_atime_ns, before.st_mtime_ns))
        stage.gateway.begin(job_id, changes)
        stage.gateway.finish(job_id)
        assert handle.ended.wait(10)
        assert handle.state.phase is Phase.DONE
        return path

    @pytest.mark.parametrize("changes", ["searched 5", "searched d 5", None])
    def test_what_was_changed_unseen_is_fetched(self, stage: Stage, changes: str | None) -> None:
        here = self.end(stage, changes)
        assert (here / "state").read_text() == "BBBB\n"
        assert (here / "input").read_text() == "kept!"

    def test_what_is_the_same_stays_with_its_own_time(self, stage: Stage) -> None:
        path = stage.directory("a", {"input": "kept!", "other": "another size"})
        for name in ("other", "job.sh"):
            os.utime(path / name, (1_500_000_000, 1_500_000_000))
        handle = stage.submit("a", files={"state": "AAAA\n"})
        local = (path / "job.sh").read_text()
        [job_id] = stage.submitted(handle)
        stage.gateway.begin(job_id, None)
        stage.gateway.finish(job_id)
        assert handle.ended.wait(10)
        assert (path / "other").stat().st_mtime == 1_500_000_000
        # It was sent with other paths and with more commands.
        assert (path / "job.sh").read_text() == local

    def test_what_is_excluded_stays_where_it_is(self, stage: Stage) -> None:
        here = self.end(stage, None, Selection(exclude=("state",)))
        assert (here / "state").read_text() == "AAAA\n"

    def test_a_job_that_reports_no_change_has_nothing_fetched(self, stage: Stage) -> None:
        here = self.end(stage, "searched")
        assert (here / "state").read_text() == "AAAA\n"

    def test_what_was_changed_here_meanwhile_stays(self, stage: Stage) -> None:
        handle = stage.submit("a", files={"input": "kept!"})
        [job_id] = stage.submitted(handle)
        (stage.local / "a/input").write_text("mine!")
        stage.gateway.begin(job_id, None)
        stage.gateway.finish(job_id)
        assert handle.ended.wait(10)
        assert (stage.local / "a/input").read_text() == "mine!"


class TestAccount:
    def submit(self, stage: Stage, directive: str) -> str | None:
        path = stage.directory("a")
        (path / "job.sh").write_text(f"#!/bin/bash\n{directive}\ncd {path}\n")
        stage.submitted(
            stage.session.submit(JobSpec("a", str(path), "job.sh", ("job.out", "job.err"), account="staff"))
        )
        [(_, _, account)] = stage.gateway.submitted
        return account

    def test_an_account_in_the_script_is_not_overridden(self, stage: Stage) -> None:
        assert self.submit(stage, "#SBATCH --account=users") is None

    def test_a_script_without_one_is_charged_to_the_setting(self, stage: Stage) -> None:
        assert self.submit(stage, "#SBATCH --ntasks=1") == "staff"


class TestOutputs:
    def test_output_of_an_earlier_job_in_the_directory_is_truncated(self, stage: Stage) -> None:
        for number in range(2):
            handle = stage.submit("a")
            [job_id] = stage.submitted(handle)
            assert ("\n{\nfor" in stage.gateway.sent[job_id]) is bool(number)
            stage.gateway.finish(job_id)
            assert handle.ended.wait(10)

    def test_output_that_was_kept_here_is_truncated_there(self, stage: Stage) -> None:
        [job_id] = stage.submitted(stage.submit("a", files={"job.out": "kept"}))
        assert "\n{\nfor" in stage.gateway.sent[job_id]
