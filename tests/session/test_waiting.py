"""When a job has ended, and when it has not: lists are late, stale, incomplete, or can't be had."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.job import JobHandle, JobSpec, Phase
from reframe_firecrest.model.job_shape import JobShape
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.session import poll_selection
from reframe_firecrest.session.single_queries import BATCH_WITHOUT_LISTS
from tests.session.conftest import Stage, eventually

TEN = JobShape(frozenset(range(10)))
REFUSED = errors.UncertainError("querying a job failed: Internal Server Error", status=500)


def submit(stage: Stage, name: str, shape: JobShape = TEN) -> tuple[JobHandle, str, JobPart]:
    path = stage.directory(name)
    outputs = ("job.out", "job.err")
    handle = stage.session.submit(
        JobSpec(f"rfm_{name}", str(path), "job.sh", outputs, shape=shape, numbered=shape.is_array)
    )
    [job_id] = stage.submitted(handle)
    eventually(lambda: handle.state.state == "PENDING")
    [part] = stage.gateway.parts[job_id]
    stage.gateway.begin(job_id, None)
    return handle, job_id, part


def task(part: JobPart, index: int | str, code: int = 0) -> JobPart:
    state = "FAILED" if code else "COMPLETED"
    return replace(
        part, job_id=f"{part.job_id}_{index}", state=state, exit_code=code, nodes="nid001", end=time.time()
    )


def write_outputs(part: JobPart, *indices: int) -> None:
    for index in indices:
        Path(part.working_directory, f"job.out_{index}").write_text(f"task {index}\n")


class TestArrays:
    def test_an_array_has_not_ended_while_tasks_are_not_reported(self, stage: Stage) -> None:
        handle, job_id, part = submit(stage, "a")
        write_outputs(part, *range(10))
        stage.gateway.parts[job_id] = [task(part, index) for index in range(7)]
        asked = stage.gateway.calls["job"]
        eventually(lambda: stage.gateway.calls["job"] > asked + 2)
        assert not handle.ended.is_set()
        assert handle.state.exit_code is None
        stage.gateway.parts[job_id] = [task(part, index, code=7 * (index == 8)) for index in range(10)]
        assert handle.ended.wait(10)
        assert handle.state.phase is Phase.DONE
        assert handle.state.exit_code == 7
        assert handle.state.state == ",".join(["COMPLETED"] * 8 + ["FAILED", "COMPLETED"])

    def test_tasks_under_ids_of_their_own_keep_an_array_going(self, stage: Stage) -> None:
        handle, job_id, part = submit(stage, "a", JobShape(frozenset({0, 1})))
        write_outputs(part, 0, 1)
        running = replace(part, job_id="909", state="RUNNING", reason=None, nodes="nid002")
        stage.gateway.parts["909"] = [running]
        stage.gateway.parts[job_id] = [task(part, 0)]
        stage.gateway.single[job_id] = [task(part, 0), running]
        eventually(lambda: handle.state.state == "COMPLETED,RUNNING")
        # Now that the id is known, lists settle how the array stands.
        asked, lists = stage.gateway.calls["job"], stage.gateway.calls["jobs"]
        eventually(lambda: stage.gateway.calls["jobs"] > lists + 3)
        assert stage.gateway.calls["job"] <= asked + 1
        del stage.gateway.parts["909"]
        stage.gateway.parts[job_id] = stage.gateway.single[job_id] = [task(part, 0), task(part, 1, code=3)]
        assert handle.ended.wait(10)
        assert handle.state.exit_code == 3

    def test_a_list_that_shows_every_task_at_its_end_is_enough(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(poll_selection, "FEW_JOBS", 0)
        handle, job_id, part = submit(stage, "a")
        write_outputs(part, *range(10))
        stage.gateway.trouble[job_id] = REFUSED
        stage.gateway.parts[job_id] = [task(part, index) for index in range(10)]
        assert handle.ended.wait(10)
        assert handle.state.phase is Phase.DONE
        assert stage.gateway.calls["job"] == 0

    def test_tasks_that_were_cancelled_before_they_started_are_not_waited_for(self, stage: Stage) -> None:
        handle, job_id, part = submit(stage, "a")
        write_outputs(part, 0)
        rest = replace(task(part, "[1-9]"), state="CANCELLED", nodes="")
        stage.gateway.parts[job_id] = [task(part, 0), rest]
        assert handle.ended.wait(10)
        assert (handle.state.phase, handle.state.state) == (Phase.DONE, "COMPLETED,CANCELLED")

    def test_an_array_whose_tasks_are_never_reported_is_lost_not_passed(self, stage: Stage) -> None:
        handle, job_id, part = submit(stage, "a")
        stage.gateway.parts[job_id] = [task(part, index) for index in range(8)]
        assert handle.ended.wait(15)
        assert handle.state.phase is Phase.FAILED
        assert f"Slurm has reported nothing about tasks 8, 9 of job {job_id} for" in str(handle.state.error)

    def test_the_output_of_each_task_that_ran_is_waited_for(self, stage: Stage) -> None:
        handle, job_id, part = submit(stage, "a", JobShape(frozenset({1, 2})))
        write_outputs(part, 1, 2)
        stage.gateway.late["job.out_2"] = 1
        stage.gateway.parts[job_id] = [task(part, 1), task(part, 2)]
        assert handle.ended.wait(10)
        assert (stage.local / "a" / "job.out_2").read_text() == "task 2\n"

    def test_an_output_of_a_task_that_never_appears_is_reported(self, stage: Stage) -> None:
        handle, job_id, part = submit(stage, "a", JobShape(frozenset({1, 2})))
        write_outputs(part, 1)
        stage.gateway.parts[job_id] = [task(part, 1), task(part, 2)]
        assert handle.ended.wait(10)
        assert handle.state.phase is Phase.DONE
        assert any("no output of a task that ran: a/job.out_2" in text for _, text in stage.said())


class TestOneJobsTrouble:
    def test_a_job_that_the_gateway_cannot_report_fails_alone(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("reframe_firecrest.session.verdicts.WARN_AFTER", 0.5)
        broken, other = stage.submit("a"), stage.submit("b")
        bad, good = stage.submitted(broken, other)
        stage.gateway.hidden.add(bad)
        stage.gateway.trouble[bad] = REFUSED
        assert broken.ended.wait(15)
        assert broken.state.phase is Phase.FAILED
        assert f"the gateway has not reported job {bad} for" in str(broken.state.error)
        assert "Internal Server Error" in str(broken.state.error)
        assert not other.ended.is_set()
        stage.gateway.finish(good)
        assert other.ended.wait(10)
        assert other.state.phase is Phase.DONE
        assert sum("retrying for up to 4 s" in text for _, text in stage.said()) == 1

    def test_garbage_about_one_job_ends_no_other(self, stage: Stage) -> None:
        broken, other = stage.submit("a"), stage.submit("b")
        bad, good = stage.submitted(broken, other)
        stage.gateway.hidden.add(bad)
        stage.gateway.trouble[bad] = errors.ProtocolError("the answer does not conform to FirecREST v2")
        asked = stage.gateway.calls["job"]
        eventually(lambda: stage.gateway.calls["job"] > asked + 1)
        stage.gateway.finish(good)
        assert other.ended.wait(10)
        assert other.state.phase is Phase.DONE
        assert not broken.ended.is_set()
        del stage.gateway.trouble[bad]
        stage.gateway.finish(bad)
        assert broken.ended.wait(10)
        assert broken.state.phase is Phase.DONE

    def test_a_job_that_lists_show_continues_although_it_cannot_be_queried(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("reframe_firecrest.session.list_doubts.SELDOM", 0.1)
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        stage.gateway.trouble[job_id] = REFUSED
        stage.gateway.parts[job_id] = [replace(stage.gateway.parts[job_id][0], state="RUNNING")]
        assert not handle.ended.wait(stage.settings.retry_timeout + 2)
        stage.gateway.finish(job_id)
        assert handle.ended.wait(10)
        assert handle.state.phase is Phase.DONE


class TestStaleLists:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("reframe_firecrest.session.list_doubts.SOON", 0.5)
        monkeypatch.setattr(poll_selection, "FEW_JOBS", 0)

    def test_a_cancellation_is_noticed_while_lists_keep_showing_a_requeue(self, stage: Stage) -> None:
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        [part] = stage.gateway.parts[job_id]
        stage.gateway.listed_parts[job_id] = [replace(part, state="REQUEUED", end=time.time())]
        stage.gateway.parts[job_id] = [replace(part, state="PENDING", reason="job requeued in held state")]
        eventually(lambda: handle.state.reason == "job requeued in held state")
        stage.gateway.parts[job_id] = [replace(part, state="CANCELLED", end=time.time())]
        assert handle.ended.wait(10)
        assert handle.state.state == "CANCELLED"

    def test_what_an_answer_for_one_job_has_refuted_is_not_believed_again(self, stage: Stage) -> None:
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        [part] = stage.gateway.parts[job_id]
        stage.gateway.listed_parts[job_id] = [replace(part, state="REQUEUED", end=time.time())]
        stage.gateway.parts[job_id] = [replace(part, state="RUNNING", reason=None)]
        eventually(lambda: handle.state.state == "RUNNING")
        lists = stage.gateway.calls["jobs"]
        eventually(lambda: stage.gateway.calls["jobs"] > lists + 3)
        assert handle.state.state == "RUNNING"

    def test_a_job_that_runs_past_its_limit_is_asked_for(self, stage: Stage) -> None:
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        [part] = stage.gateway.parts[job_id]
        running = replace(part, state="RUNNING", reason=None, nodes="nid001", limit=60.0, elapsed=100.0)
        stage.gateway.listed_parts[job_id] = [running]
        stage.gateway.finish(job_id, "TIMEOUT")
        assert handle.ended.wait(10)
        assert handle.state.state == "TIMEOUT"

    def test_a_job_that_waits_or_runs_costs_no_questions(self, stage: Stage) -> None:
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        lists = stage.gateway.calls["jobs"]
        eventually(lambda: stage.gateway.calls["jobs"] > lists + 5)
        stage.gateway.parts[job_id] = [replace(stage.gateway.parts[job_id][0], state="RUNNING")]
        eventually(lambda: stage.gateway.calls["jobs"] > lists + 10)
        assert stage.gateway.calls["job"] == 0


class TestWithoutLists:
    def test_all_jobs_end_although_no_list_can_be_had(self, stage: Stage) -> None:
        stage.gateway.unlistable = True
        handles = [stage.submit(f"t{number}") for number in range(2 * BATCH_WITHOUT_LISTS)]
        for job_id in stage.submitted(*handles):
            stage.gateway.finish(job_id)
        assert all(handle.ended.wait(20) for handle in handles)
        assert {handle.state.phase for handle in handles} == {Phase.DONE}

    def test_lists_count_again_once_they_can_be_had(self, stage: Stage) -> None:
        stage.gateway.unlistable = True
        handle = stage.submit("a")
        [job_id] = stage.submitted(handle)
        eventually(lambda: stage.gateway.calls["job"] > 1)
        stage.gateway.unlistable = False
        lists = stage.gateway.calls["jobs"]
        eventually(lambda: stage.gateway.calls["jobs"] > lists + 1)
        asked = stage.gateway.calls["job"]
        stage.gateway.finish(job_id)
        assert handle.ended.wait(10)
        assert stage.gateway.calls["job"] <= asked + 1

    def test_a_job_that_fails_alone_then_ends_no_other(self, stage: Stage) -> None:
        stage.gateway.unlistable = True
        broken, other = stage.submit("a"), stage.submit("b")
        bad, good = stage.submitted(broken, other)
        stage.gateway.trouble[bad] = REFUSED
        assert broken.ended.wait(15)
        assert f"the gateway has not reported job {bad}" in str(broken.state.error)
        assert not other.ended.is_set()
        stage.gateway.finish(good)
        assert other.ended.wait(10)
        assert other.state.phase is Phase.DONE
