"""Job ids after a crash of Slurm's controller: forgotten jobs, and other jobs with their ids."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.model.job import JobSpec, Phase
from reframe_firecrest.model.job_shape import JobShape
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.verdicts import OVERDUE
from reframe_firecrest.session.watcher import Watcher, ignore
from tests.session.conftest import Stage, eventually

LIMIT = 1800.0


def test_two_jobs_under_one_id_are_distinguished(stage: Stage) -> None:
    forgotten = stage.submit("a")
    [job_id] = stage.submitted(forgotten)
    [part] = stage.gateway.parts[job_id]
    stage.gateway.parts[job_id] = [replace(part, state="RUNNING")]
    eventually(lambda: forgotten.state.state == "RUNNING")
    stage.gateway.forget()
    other = stage.submit("b")
    assert stage.submitted(other) == [job_id]
    stage.gateway.finish(job_id, "FAILED", code=3)
    assert other.ended.wait(10)
    assert (other.state.phase, other.state.exit_code) == (Phase.DONE, 3)
    assert forgotten.ended.wait(1)
    assert forgotten.state.phase is Phase.FAILED
    assert f"forgotten job {job_id} and given its number to another one" in str(forgotten.state.error)


def test_a_job_that_was_forgotten_before_it_was_seen_is_lost_to_the_one_with_its_id(stage: Stage) -> None:
    answering = stage.gateway.blocked["jobs"] = asyncio.Event()
    forgotten = stage.submit("a")
    [job_id] = stage.submitted(forgotten)
    stage.gateway.forget()
    other = stage.submit("b")
    assert stage.submitted(other) == [job_id]
    stage.gateway.finish(job_id)
    reactor().call(answering.set)
    assert other.ended.wait(10)
    assert other.state.phase is Phase.DONE
    assert forgotten.ended.wait(10)
    assert f"forgotten job {job_id} and given its number to another one" in str(forgotten.state.error)


def test_tasks_that_the_accounting_shows_as_running_do_not_hide_who_has_their_id(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    [part] = stage.gateway.parts[job_id]
    tasks = [replace(part, job_id=f"{job_id}_{number}", state="RUNNING") for number in range(2)]
    stage.gateway.parts[job_id] = tasks
    eventually(lambda: handle.state.state == "RUNNING,RUNNING")
    stage.gateway.parts[job_id] = [*tasks, replace(part, name="rfm_b", working_directory="/scratch/b")]
    assert handle.ended.wait(10)
    assert "given its number to another one" in str(handle.state.error)


def test_a_job_without_name_and_directory_yet_is_waited_for(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    [part] = stage.gateway.parts[job_id]
    stage.gateway.parts[job_id] = [replace(part, name="allocation", working_directory="", reason="None")]
    eventually(lambda: handle.state.reason == "None")
    stage.gateway.parts[job_id] = [part]
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.DONE


def test_a_strangers_job_under_a_forgotten_id_is_not_taken_for_ours(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    [part] = stage.gateway.parts[job_id]
    stranger = replace(part, name="mine", state="COMPLETED", end=1.0, working_directory="/home/somebody")
    stage.gateway.hidden.add(job_id)
    stage.gateway.single[job_id] = [stranger]
    assert handle.ended.wait(15)
    assert "it is lost" in str(handle.state.error)


def test_a_directory_that_the_system_calls_by_another_name_does_no_harm(stage: Stage) -> None:
    stage.gateway.blocked["jobs"] = asyncio.Event()
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id)
    [part] = stage.gateway.parts[job_id]
    stage.gateway.parts[job_id] = [replace(part, name="rfm_a", working_directory="/real/path/a")]
    reactor().call(stage.gateway.blocked["jobs"].set)
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.DONE


def test_a_job_that_runs_long_after_its_time_limit_is_lost(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    [part] = stage.gateway.parts[job_id]
    running = replace(part, state="RUNNING", reason=None, nodes="nid001", limit=LIMIT)
    stage.gateway.parts[job_id] = [replace(running, elapsed=LIMIT + OVERDUE - 60)]
    assert not handle.ended.wait(1)
    stage.gateway.parts[job_id] = [replace(running, elapsed=LIMIT + OVERDUE + 60)]
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.FAILED
    assert "as running 11 min after its time limit: it is lost" in str(handle.state.error)


def test_an_answer_that_came_late_is_not_followed_by_a_long_silence(stage: Stage) -> None:
    answering = stage.gateway.blocked["jobs"] = asyncio.Event()
    stage.submit("a")
    eventually(lambda: stage.gateway.calls["jobs"] == 1)
    time.sleep(3.0)
    reactor().call(answering.set)
    begun = time.monotonic()
    eventually(lambda: stage.gateway.calls["jobs"] == 2)
    assert time.monotonic() - begun < 1.0


def test_a_tests_job_under_a_forgotten_transfers_id_is_not_taken_for_the_transfer(stage: Stage) -> None:
    part = JobPart("7", "rfm_a", "RUNNING", None, None, "nid001", 1.0, None, "/scratch/run/a")
    stage.gateway.parts["7"] = [part]
    settings = stage.settings

    async def follow_both() -> None:
        watcher = Watcher(stage.gateway, settings, reactor())
        test = asyncio.create_task(watcher.follow("7", ignore, "rfm_a", "/scratch/run/a"))
        transfer = asyncio.create_task(watcher.follow("7", ignore))
        await asyncio.sleep(0.3)
        stage.gateway.parts["7"] = [replace(part, state="COMPLETED", exit_code=0, end=2.0)]
        assert [found.name for found in await test] == ["rfm_a"]
        with pytest.raises(errors.JobLostError):
            await transfer

    reactor().run(follow_both(), 20.0)


def test_a_job_that_slurm_holds_for_good_fails_and_is_cancelled(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    [part] = stage.gateway.parts[job_id]
    stage.gateway.parts[job_id] = [replace(part, reason="launch failed requeued held")]
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.FAILED
    assert "will not start it again by itself: launch failed requeued held" in str(handle.state.error)
    eventually(lambda: stage.gateway.cancelled == [job_id])


def test_no_job_is_lost_soon_after_a_look_that_took_long(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reframe_firecrest.session.watcher.INTERRUPTED", -1.0)
    settings = stage.settings.model_copy(update={"job_lost_timeout": 0.5})
    stage.gateway.unknown.add("7")

    async def follow() -> None:
        job = asyncio.create_task(Watcher(stage.gateway, settings, reactor()).follow("7", ignore))
        ended, _ = await asyncio.wait([job], timeout=2.0)
        assert not ended
        monkeypatch.setattr("reframe_firecrest.session.watcher.INTERRUPTED", 30.0)
        with pytest.raises(errors.JobLostError, match="Slurm has not known job 7"):
            await job

    reactor().run(follow(), 30)


def test_a_preempted_job_that_is_queued_again_continues(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    [part] = stage.gateway.parts[job_id]
    stage.gateway.parts[job_id] = [replace(part, state="PREEMPTED", end=time.time())]
    eventually(lambda: handle.state.state == "PREEMPTED")
    stage.gateway.parts[job_id] = [part]
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.DONE


def test_a_preempted_job_that_is_not_queued_again_fails_and_is_cancelled(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reframe_firecrest.session.verdicts.PREEMPTED_TIMEOUT", 0.05)
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    [part] = stage.gateway.parts[job_id]
    stage.gateway.parts[job_id] = [replace(part, state="PREEMPTED", end=time.time())]
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.FAILED
    assert f"Slurm has preempted job {job_id} and not queued it again" in str(handle.state.error)
    eventually(lambda: stage.gateway.cancelled == [job_id])


def test_a_heterogeneous_job_is_followed_until_all_of_its_components_are_reported(stage: Stage) -> None:
    path = stage.directory("a")
    handle = stage.session.submit(
        JobSpec("rfm_a", str(path), "job.sh", ("job.out", "job.err"), shape=JobShape(components=2))
    )
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id)
    [first] = stage.gateway.parts[job_id]
    parts = [replace(first, job_id=f"{job_id}+{number}", exit_code=number) for number in range(2)]
    stage.gateway.parts[job_id] = parts[:1]
    asked = stage.gateway.calls["job"]
    eventually(lambda: stage.gateway.calls["job"] > asked + 1)
    assert not handle.ended.is_set()
    stage.gateway.parts[job_id] = parts
    assert handle.ended.wait(10)
    assert (handle.state.state, handle.state.exit_code) == ("COMPLETED,COMPLETED", 1)
