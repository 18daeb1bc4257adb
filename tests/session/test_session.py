"""The lives of jobs, from ReFrame's thread to the gateway and back."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model import errors
from reframe_firecrest.model.job import JobSpec, JobState, Phase
from reframe_firecrest.model.selection import Selection
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.session.followed_job import MAX_MISSES
from reframe_firecrest.session.poll_selection import FEW_JOBS
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.single_queries import BATCH
from reframe_firecrest.staging import paths
from tests.session.conftest import Stage, eventually
from tests.session.fakes import END, FakeGateway


def block(stage: Stage, method: str) -> asyncio.Event:
    event = asyncio.Event()
    stage.gateway.blocked[method] = event
    return event


def release(event: asyncio.Event) -> None:
    reactor().call(event.set)


def done(*handles: object) -> bool:
    return all(handle.ended.is_set() for handle in handles)  # type: ignore[attr-defined]


def test_a_job_goes_there_runs_and_comes_back(stage: Stage) -> None:
    handle = stage.submit("a", files={"input.txt": "in"})
    [job_id] = stage.submitted(handle)
    remote = stage.remote / "a"
    assert stage.gateway.submitted == [(f"{remote}/job.sh", str(remote), None)]
    assert (remote / "input.txt").read_text() == "in"
    sent = (remote / "job.sh").read_text()
    assert sent.startswith("#!/bin/bash\n")
    assert sent.endswith(f"\ncd {remote}\n")
    stage.gateway.finish(job_id, "FAILED", 3, files={"result.txt": "made"})
    assert handle.ended.wait(10)
    state = handle.state
    assert (state.phase, state.state, state.exit_code) == (Phase.DONE, "FAILED", 3)
    assert (state.nodes, state.completed) == ("nid[001-002]", END)
    assert (stage.local / "a/result.txt").read_text() == "made"
    assert (stage.local / "a/job.out").read_text() == "out"
    reported = " ".join(text for _level, text in stage.said())
    assert "sent 2 files of 1 stage directory" in reported
    assert "fetched 3 files of 1 job," in reported
    # The local script stays as ReFrame wrote it: it was translated in the archive only.
    assert str(stage.local) in (stage.local / "a/job.sh").read_text()


def test_submit_returns_while_the_gateway_does_not_answer(stage: Stage) -> None:
    event = block(stage, "connect")
    begun = time.monotonic()
    handle = stage.submit("a")
    assert time.monotonic() - begun < 2
    assert handle.state.phase is Phase.QUEUED
    release(event)
    stage.submitted(handle)


def test_what_waits_travels_together(stage: Stage) -> None:
    event = block(stage, "connect")
    handles = [stage.submit(f"t{number}") for number in range(20)]
    release(event)
    ids = stage.submitted(*handles)
    assert stage.gateway.calls["upload"] == stage.gateway.calls["extract"] == 1
    listing = block(stage, "list_tree")
    for job_id in ids:
        stage.gateway.finish(job_id)
    eventually(lambda: all(handle.state.phase is Phase.RETRIEVING for handle in handles))
    release(listing)
    eventually(lambda: done(*handles))
    assert all(handle.state.phase is Phase.DONE for handle in handles)
    assert stage.gateway.calls["download"] <= 3
    assert stage.gateway.calls["list_tree"] <= 3


def test_what_is_packed_apart_is_put_together_again(stage: Stage) -> None:
    stage.gateway.apart = True
    event = block(stage, "list_tree")
    jobs = [stage.submit(f"t{number}") for number in range(3)]
    for job_id, name in zip(stage.submitted(*jobs), "abc", strict=True):
        stage.gateway.finish(job_id, files={"result": name})
    eventually(lambda: all(job.state.phase is Phase.RETRIEVING for job in jobs))
    release(event)
    eventually(lambda: done(*jobs))
    assert [job.state.error for job in jobs] == [None] * 3
    read = [(stage.local / f"t{number}" / "result").read_text() for number in range(3)]
    assert sorted(read) == ["a", "b", "c"]


def test_one_status_request_serves_all_jobs(stage: Stage) -> None:
    handles = [stage.submit(f"t{number}") for number in range(10)]
    stage.submitted(*handles)
    before = stage.gateway.calls["jobs"]
    time.sleep(1.0)
    assert 1 <= stage.gateway.calls["jobs"] - before <= 11
    assert stage.gateway.calls["job"] == 0


def test_directories_that_lie_apart_are_listed_apart(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SHARD_SIZE", 2)
    jobs = [stage.submit(f"s/p/e/t{number}") for number in range(6)]
    for job_id in stage.submitted(*jobs):
        stage.gateway.finish(job_id)
    eventually(lambda: done(*jobs))
    assert (stage.remote / "~2/s/p/e/t5/job.out").exists()
    assert (stage.local / "s/p/e/t5/job.out").read_text() == "out"
    assert str(stage.remote) not in stage.gateway.listed


def test_a_listing_that_is_too_long_is_not_asked_for_again(stage: Stage) -> None:
    stage.gateway.failures["list_tree"] = [errors.TooLargeError("too long")]
    for names in (("a", "b"), ("c", "d")):
        jobs = [stage.submit(name) for name in names]
        for job_id in stage.submitted(*jobs):
            stage.gateway.finish(job_id)
        eventually(lambda jobs=jobs: done(*jobs))  # type: ignore[misc]
    assert stage.gateway.listed.count(str(stage.remote)) == 1


def test_no_two_archives_make_the_same_directories_at_the_same_time(stage: Stage) -> None:
    stage.settings = stage.settings.model_copy(update={"direct_upload_max": 0})
    stage.gateway.max_direct_upload = 20_000
    gate = block(stage, "extract")
    jobs = [stage.submit(f"s/p/e/t{number}", files={"x": str(number) * 12_000}) for number in range(2)]
    eventually(lambda: stage.gateway.calls["upload"] == 2, "both uploads")
    time.sleep(0.3)
    assert stage.gateway.calls["extract"] == 1
    release(gate)
    stage.submitted(*jobs)
    gate = block(stage, "extract")
    late = [stage.submit(f"s/p/e/t{number}", files={"x": str(number) * 12_000}) for number in (2, 3)]
    eventually(lambda: stage.gateway.calls["extract"] == 4, "two more at the same time")
    release(gate)
    stage.submitted(*late)


def test_a_run_after_a_build_sends_only_what_changed(stage: Stage) -> None:
    build = stage.submit("a", files={"source.c": "int x;", "data.bin": "1" * 1000})
    [job_id] = stage.submitted(build)
    stage.gateway.finish(job_id, files={"program": "built there"})
    assert build.ended.wait(10)
    (stage.local / "a/run.sh").write_text("#!/bin/bash\n")
    (stage.local / "a/data.bin").write_text("changed")
    run = stage.submit("a", script="run.sh")
    [job_id] = stage.submitted(run)
    assert sorted(stage.gateway.uploaded[1]) == ["a/data.bin", "a/job.sh", "a/run.sh"]
    assert (stage.remote / "a/program").read_text() == "built there"
    stage.gateway.finish(job_id)
    assert run.ended.wait(10)


def test_a_file_rewritten_alike_in_the_same_second_is_seen(stage: Stage) -> None:
    handle = stage.submit("a", files={"notes": "1"})
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id, files={"notes": "2"})
    assert handle.ended.wait(10)
    assert (stage.local / "a/notes").read_text() == "2"
    again = stage.submit("a")
    [job_id] = stage.submitted(again)
    stamp = (stage.remote / "a/notes").stat().st_mtime
    stage.gateway.finish(job_id, files={"notes": "3"})
    os.utime(stage.remote / "a/notes", (stamp, stamp))
    assert again.ended.wait(10)
    assert (stage.local / "a/notes").read_text() == "3"


def test_what_was_not_touched_stays_there(stage: Stage) -> None:
    handle = stage.submit("a", files={"input.txt": "in"})
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id)
    (stage.local / "a/input.txt").write_text("kept by ReFrame")
    assert handle.ended.wait(10)
    assert (stage.local / "a/input.txt").read_text() == "kept by ReFrame"


def test_one_bad_directory_fails_one_test(stage: Stage) -> None:
    event = block(stage, "connect")
    good, bad = stage.submit("good"), stage.submit("bad")
    (stage.local / "bad/loop").symlink_to(stage.local / "bad")
    release(event)
    assert bad.ended.wait(10)
    assert bad.state.phase is Phase.FAILED
    assert "links back" in str(bad.state.error)
    assert stage.submitted(good)


def test_a_group_that_fails_is_tried_one_by_one(stage: Stage) -> None:
    event = block(stage, "connect")
    handles = [stage.submit(f"t{number}") for number in range(3)]
    stage.gateway.failures["extract"] = [
        errors.RejectedError("tar: no"),
        errors.RejectedError("tar: still no"),
    ]
    release(event)
    eventually(lambda: all(handle.state.job_id or handle.ended.is_set() for handle in handles))
    failed = [handle for handle in handles if handle.state.phase is Phase.FAILED]
    assert [handle.state.error for handle in failed] == ["tar: still no"]


def test_a_large_directory_delays_no_other(stage: Stage) -> None:
    stage.settings = stage.settings.model_copy(update={"direct_upload_max": 0})
    stage.gateway.max_direct_upload = 100_000
    slow = asyncio.Event()
    upload = stage.gateway.upload

    async def stall(local: Path, remote: str, progress: Progress | None = None) -> str:
        if local.stat().st_size > 100_000:
            await slow.wait()
        return await upload(local, remote, progress)

    stage.gateway.upload = stall  # type: ignore[method-assign]
    path = stage.directory("large")
    (path / "blob").write_bytes(os.urandom(300_000))
    large, small = stage.submit("large"), stage.submit("small")
    stage.submitted(small)
    assert large.state.phase is Phase.STAGING
    release(slow)
    stage.submitted(large)


def test_the_run_directory_is_created_before_the_version_of_the_api_is_known(stage: Stage) -> None:
    opening = stage.gateway.blocked["open"] = asyncio.Event()
    handle = stage.submit("a")
    eventually(lambda: stage.gateway.calls["make_directory"] == 1)
    assert stage.gateway.calls["connect"] == 0
    reactor().call(opening.set)
    stage.submitted(handle)
    assert stage.gateway.calls["make_directory"] == 1


def test_it_is_created_again_through_another_version(stage: Stage) -> None:
    stage.gateway.blocked["make_directory"] = asyncio.Event()
    opening = stage.gateway.blocked["open"] = asyncio.Event()
    stage.gateway.opened = FakeGateway()
    handle = stage.submit("a")
    eventually(lambda: stage.gateway.calls["make_directory"] == 1)
    reactor().call(opening.set)
    stage.submitted(handle)
    assert stage.gateway.opened.calls["make_directory"] == 1


@pytest.mark.parametrize("method", ["connect", "make_directory"])
def test_a_session_that_can_not_start_fails_every_test_with_the_reason(stage: Stage, method: str) -> None:
    stage.gateway.failures[method] = [errors.ForbiddenError("no such luck")]
    handles = [stage.submit("a"), stage.submit("b")]
    eventually(lambda: done(*handles))
    assert all("no such luck" in str(handle.state.error) for handle in handles)
    assert "\n" not in str(handles[0].state.error)
    late = stage.submit("c")
    assert late.ended.wait(5)
    assert stage.gateway.calls["connect"] == 1


def test_a_base_directory_that_can_not_be_written_is_named(stage: Stage) -> None:
    stage.gateway.failures["make_directory"] = [errors.ForbiddenError("Permission denied")]
    handle = stage.submit("a")
    assert handle.ended.wait(5)
    assert "FIRECREST_BASEDIR" in str(handle.state.error)


def test_an_accident_in_one_job_is_reported_and_stays_there(stage: Stage) -> None:
    handle, other = stage.submit("a"), stage.submit("b")
    ids = stage.submitted(handle, other)
    stage.gateway.finish(ids[0])
    (stage.remote / "a" / "job.out").unlink()
    stage.gateway.finish(ids[1])
    # Its output never shows; it is fetched all the same, and ReFrame's check decides.
    assert handle.ended.wait(10)
    assert other.ended.wait(10)
    assert other.state.phase is Phase.DONE


def test_output_that_shows_late_is_waited_for(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.late["job.out"] = 1
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert (stage.local / "a/job.out").read_text() == "out"


def test_links_and_empty_directories_come_back(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    (stage.remote / "a/empty/deep").mkdir(parents=True)
    (stage.remote / "a/link").symlink_to("job.out")
    (stage.remote / "a/out").symlink_to("/etc/passwd")
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert (stage.local / "a/empty/deep").is_dir()
    assert (stage.local / "a/link").read_text() == "out"
    assert not (stage.local / "a/out").is_symlink()
    with pytest.raises(PermissionError, match="it is a link to /etc/passwd"):
        (stage.local / "a/out").read_text()


# --- lists that lie ---------------------------------------------------------------------------------


def test_a_job_missing_from_the_list_is_asked_for_singly(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id)
    stage.gateway.hidden.add(job_id)
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.DONE
    assert stage.gateway.calls["job"] >= 1


def test_a_few_new_jobs_are_queried_singly(stage: Stage) -> None:
    handle = stage.submit("a")
    stage.gateway.blocked["job"] = answering = asyncio.Event()
    [job_id] = stage.submitted(handle)
    stage.gateway.hidden.add(job_id)
    stage.gateway.finish(job_id)
    reactor().call(answering.set)
    assert handle.ended.wait(10)
    assert stage.gateway.calls["jobs"] == 0


def test_many_new_jobs_are_listed(stage: Stage) -> None:
    answering = stage.gateway.blocked["jobs"] = asyncio.Event()
    jobs = [stage.submit(f"t{number}") for number in range(3 * FEW_JOBS)]
    for job_id in stage.submitted(*jobs):
        stage.gateway.finish(job_id)
    reactor().call(answering.set)
    eventually(lambda: all(job.ended.is_set() for job in jobs), "the end of all jobs")
    assert stage.gateway.calls["job"] <= FEW_JOBS


def test_a_few_jobs_are_queried_singly_as_long_as_they_are_new(stage: Stage) -> None:
    jobs = [stage.submit(name) for name in "ab"]
    stage.submitted(*jobs)
    eventually(lambda: stage.gateway.calls["jobs"] > 0, "a list")
    assert stage.gateway.calls["job"] >= 2 * len(jobs)


def test_of_many_jobs_some_are_listed_and_the_others_when_most_of_these_have_ended(stage: Stage) -> None:
    stage.gateway.names_at_once = 8
    first = stage.gateway.blocked["jobs"] = asyncio.Event()
    jobs = [stage.submit(f"t{number}") for number in range(12)]
    ids = stage.submitted(*jobs)
    reactor().call(first.set)
    eventually(lambda: len(stage.gateway.ids) > 3, "some lists")
    assert all(len(asked) <= 8 for asked in stage.gateway.ids)
    assert {job_id for asked in stage.gateway.ids for job_id in asked} == set(ids)
    del stage.gateway.blocked["jobs"]
    answering = stage.gateway.blocked["jobs"] = asyncio.Event()
    before = len(stage.gateway.ids)
    for job_id in ids:
        stage.gateway.finish(job_id)
    reactor().call(answering.set)
    eventually(lambda: all(job.ended.is_set() for job in jobs), "the end of all jobs")
    assert len(stage.gateway.ids) <= before + 3


def test_jobs_whose_list_fails_are_listed_with_the_next_poll(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.gateway.names_at_once = 8
    stage.gateway.blocked["jobs"] = first = asyncio.Event()
    sizes: list[int] = []
    list_jobs = stage.gateway.jobs

    async def jobs(seen_since: float, names: Sequence[str], ids: Sequence[str]) -> list[JobPart]:
        sizes.append(len(ids))
        if len(sizes) == 2:
            raise errors.TransientError("busy")
        return [part for part in await list_jobs(seen_since, names, ids) if part.job_id in ids]

    monkeypatch.setattr(stage.gateway, "jobs", jobs)
    handles = [stage.submit(f"t{number}") for number in range(12)]
    for job_id in stage.submitted(*handles):
        stage.gateway.finish(job_id)
    reactor().call(first.set)
    eventually(lambda: all(job.ended.is_set() for job in handles), "the end of all jobs")
    assert sizes == [8, 4, 4]
    assert stage.gateway.calls["job"] == 0


def test_a_job_that_has_ended_meanwhile_is_not_queried_because_a_list_lacks_it(stage: Stage) -> None:
    stage.gateway.blocked["job"] = singly = asyncio.Event()
    stage.gateway.blocked["jobs"] = listed = asyncio.Event()
    jobs = [stage.submit(name) for name in "ab"]
    ids = stage.submitted(*jobs)
    eventually(lambda: stage.gateway.calls["jobs"] > 0, "a list")
    for job_id in ids:
        stage.gateway.hidden.add(job_id)
        stage.gateway.finish(job_id)
    reactor().call(singly.set)
    eventually(lambda: all(job.ended.is_set() for job in jobs), "the end of all jobs")
    reactor().call(listed.set)
    [job_id] = stage.submitted(later := stage.submit("c"))
    stage.gateway.finish(job_id)
    assert later.ended.wait(10)
    assert stage.gateway.queried.count(ids[0]) == stage.gateway.queried.count(ids[1]) == 1


def test_a_few_jobs_missing_from_the_list_are_not_listed_again(stage: Stage) -> None:
    jobs = [stage.submit(name) for name in "abc"]
    ids = stage.submitted(*jobs)
    answering = stage.gateway.blocked["jobs"] = asyncio.Event()
    before = stage.gateway.calls["jobs"]
    eventually(lambda: stage.gateway.calls["jobs"] > before, "a list")
    lists = stage.gateway.calls["jobs"]
    for job_id in ids:
        stage.gateway.hidden.add(job_id)
        stage.gateway.finish(job_id)
    reactor().call(answering.set)
    eventually(lambda: all(job.ended.is_set() for job in jobs), "the end of all jobs")
    assert stage.gateway.calls["jobs"] == lists


def test_many_jobs_missing_from_the_list_are_not_all_asked_for_at_once(stage: Stage) -> None:
    jobs = [stage.submit(f"t{number}") for number in range(20)]
    ids = stage.submitted(*jobs)
    for job_id in ids:
        stage.gateway.hidden.add(job_id)
        stage.gateway.finish(job_id)
    eventually(lambda: stage.gateway.calls["job"] > 0, "a question for a single job")
    eventually(lambda: all(job.ended.is_set() for job in jobs), "the end of all jobs")
    lists = stage.gateway.calls["jobs"]
    assert len(ids) <= stage.gateway.calls["job"] <= BATCH * (lists - MAX_MISSES + 1)


def test_an_unknown_job_is_lost_not_completed(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.unknown.add(job_id)
    time.sleep(1.0)
    assert not handle.ended.is_set()
    assert handle.ended.wait(15)
    assert handle.state.phase is Phase.FAILED
    assert "it is lost" in str(handle.state.error)
    assert stage.gateway.calls["download"] == 0


def test_the_accounting_may_lag_behind_after_an_outage(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.unknown.add(job_id)
    eventually(lambda: stage.gateway.calls["job"] > 3, "questions for the job")
    time.sleep(3.0)
    stage.gateway.failures["jobs"] = [errors.UncertainError("slurmdbd is away", status=500)]
    time.sleep(3.5)
    # More than its five seconds have passed, but not since the outage.
    assert not handle.ended.is_set()
    stage.gateway.unknown.clear()
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.DONE


def test_an_array_is_over_when_all_its_tasks_are(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id)
    [part] = stage.gateway.parts[job_id]
    tasks = [replace(part, job_id=f"{job_id}_{number}", exit_code=number) for number in range(3)]
    running = replace(tasks[2], state="RUNNING", end=None, exit_code=0)
    # The list already lacks the task that has just ended; asked singly, it is there and running.
    stage.gateway.parts[job_id] = tasks[:2]
    stage.gateway.single[job_id] = [*tasks[:2], running]
    eventually(lambda: stage.gateway.calls["job"] >= 1)
    assert not handle.ended.is_set()
    stage.gateway.single[job_id] = tasks
    assert handle.ended.wait(10)
    assert handle.state.state == "COMPLETED,COMPLETED,COMPLETED"
    assert handle.state.exit_code == 2


def test_an_exit_code_is_not_believed_before_the_accounting_is_complete(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id, "FAILED", code=7)
    [part] = stage.gateway.parts[job_id]
    stage.gateway.parts[job_id] = [replace(part, exit_code=0, end=None)]
    looks = stage.gateway.calls["jobs"]
    eventually(lambda: stage.gateway.calls["jobs"] >= looks + 2)
    assert handle.state.state == "PENDING"
    stage.gateway.parts[job_id] = [part]
    assert handle.ended.wait(10)
    assert handle.state.exit_code == 7


def test_a_job_whose_end_is_never_reported_ends_all_the_same(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id)
    [part] = stage.gateway.parts[job_id]
    stage.gateway.parts[job_id] = [replace(part, end=None)]
    assert handle.ended.wait(10)
    assert handle.state.state == "COMPLETED"


def test_an_outage_is_ridden_out(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.failures["jobs"] = [errors.UncertainError("500")] * 5
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.DONE


def test_an_outage_that_lasts_too_long_is_a_failure_with_that_reason(stage: Stage) -> None:
    handle = stage.submit("a")
    stage.submitted(handle)
    stage.gateway.failures["jobs"] = [errors.TransientError("gone")] * 1000
    assert handle.ended.wait(10)
    assert str(handle.state.error).startswith("gone; its stage directory on the system: ")


# --- submission -------------------------------------------------------------------------------------


def test_a_submission_whose_answer_was_lost_is_adopted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    stage.gateway.failures["submit"] = [errors.UncertainError("cut")]
    (stage.remote / "a").mkdir(parents=True)
    job_id = stage.gateway.start("job.sh", str(stage.remote / "a"))
    handle = stage.submit("a")
    assert stage.submitted(handle) == [job_id]
    assert stage.gateway.calls["submit"] == 1


def test_a_submission_that_left_nothing_is_repeated(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    stage.gateway.failures["submit"] = [errors.UncertainError("cut")]
    stage.submitted(stage.submit("a"))
    assert stage.gateway.calls["submit"] == 2
    assert len(stage.gateway.submitted) == 1


def test_an_outage_of_the_controller_is_ridden_out_by_submissions(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    stage.gateway.failures["submit"] = [errors.OutageError("Unable to contact slurm controller")] * 7
    stage.submitted(stage.submit("a"))
    assert stage.gateway.calls["submit"] == 8
    assert len(stage.gateway.submitted) == 1


def test_a_submission_that_leaves_nothing_time_and_again_has_failed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    stage.gateway.failures["submit"] = [errors.UncertainError("cut")] * 7
    handle = stage.submit("a")
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.FAILED
    assert stage.gateway.calls["submit"] == 3


def test_a_job_whose_directory_the_list_does_not_report_is_adopted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01, 0.01))
    stage.gateway.failures["submit"] = [errors.UncertainError("cut")]
    (stage.remote / "a").mkdir(parents=True)
    other, job_id = (stage.gateway.start("job.sh", "") for _ in range(2))
    stage.gateway.places = {other: str(stage.remote / "b"), job_id: str(stage.remote / "a")}
    assert stage.submitted(stage.submit("a")) == [job_id]
    assert stage.gateway.calls["submit"] == 1


def test_a_run_job_does_not_adopt_the_build_job_of_the_same_directory(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    build = stage.submit("a")
    [build_id] = stage.submitted(build)
    stage.gateway.finish(build_id)
    assert build.ended.wait(10)
    stage.gateway.failures["submit"] = [errors.UncertainError("cut")]
    [run_id] = stage.submitted(stage.submit("a"))
    assert run_id != build_id


def test_a_job_under_the_id_of_a_forgotten_one_is_adopted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    stage.submitted(stage.submit("a"))
    stage.gateway.forget()
    stage.gateway.failures["submit"] = [errors.UncertainError("cut")]
    (stage.remote / "b").mkdir(parents=True)
    job_id = stage.gateway.start("job.sh", str(stage.remote / "b"))
    assert stage.submitted(stage.submit("b")) == [job_id]
    assert stage.gateway.calls["submit"] == 2


def test_a_submission_that_cannot_be_distinguished_from_others_is_repeated_without_harm(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever the first request has left: only one of the jobs runs the script.
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    stage.gateway.failures["submit"] = [errors.UncertainError("cut")]
    stage.gateway.unsure = 2
    stage.submitted(stage.submit("a"))
    assert stage.gateway.calls["submit"] == 2


def test_a_submission_that_is_identified_at_last_is_adopted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.SEARCH_PAUSES", (0.01, 0.01))
    stage.gateway.failures["submit"] = [errors.UncertainError("cut")]
    stage.gateway.unsure = 1
    (stage.remote / "a").mkdir(parents=True)
    job_id = stage.gateway.start("job.sh", str(stage.remote / "a"))
    assert stage.submitted(stage.submit("a")) == [job_id]


def test_a_list_is_asked_for_by_the_ids_of_the_jobs_that_are_followed(stage: Stage) -> None:
    ids = stage.submitted(stage.submit("a"), stage.submit("b"))
    eventually(lambda: any(sorted(asked) == sorted(ids) for asked in stage.gateway.ids))


def test_a_refused_submission_fails_that_test_only(stage: Stage) -> None:
    stage.gateway.failures["submit"] = [errors.RejectedError("sbatch: error: invalid partition")]
    handles = [stage.submit("a"), stage.submit("b")]
    eventually(lambda: all(handle.state.job_id or handle.ended.is_set() for handle in handles))
    failed = [handle for handle in handles if handle.ended.is_set()]
    assert len(failed) == 1
    assert str(failed[0].state.error).startswith("sbatch: error: invalid partition; ")


# --- cancelling -------------------------------------------------------------------------------------


def test_a_cancelled_job_is_final_at_once_and_nothing_is_fetched(stage: Stage) -> None:
    handles = [stage.submit("a"), stage.submit("b")]
    ids = stage.submitted(*handles)
    stage.session.cancel(handles)
    assert done(*handles)
    assert {handle.state.phase for handle in handles} == {Phase.CANCELLED}
    eventually(lambda: sorted(stage.gateway.cancelled) == sorted(ids))
    stage.close()
    assert stage.gateway.calls["list_tree"] == stage.gateway.calls["download"] == 0


def test_a_queued_job_that_is_cancelled_is_never_submitted(stage: Stage) -> None:
    event = block(stage, "upload")
    handle = stage.submit("a")
    eventually(lambda: stage.gateway.calls["upload"])
    stage.session.cancel([handle])
    release(event)
    stage.close()
    assert stage.gateway.calls["submit"] == 0


def test_a_job_cancelled_while_it_is_submitted_is_cancelled_there_too(stage: Stage) -> None:
    event = block(stage, "submit")
    handle = stage.submit("a")
    eventually(lambda: stage.gateway.calls["submit"])
    stage.session.cancel([handle])
    assert handle.ended.is_set()
    release(event)
    eventually(lambda: stage.gateway.cancelled == ["101"])


def test_the_end_of_the_process_delivers_what_is_under_way(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    event = block(stage, "cancel")
    stage.session.cancel([handle])
    eventually(lambda: stage.gateway.calls["cancel"])
    reactor().call(reactor()._loop.call_later, 0.2, event.set)
    stage.close()
    assert stage.gateway.cancelled == [job_id]
    assert not (stage.remote / ".transfer").exists()
    assert stage.gateway.closed


def test_a_cancel_that_fails_names_the_command_that_helps(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.failures["cancel"] = [errors.TransientError("gone")]
    stage.session.cancel([handle])
    stage.close()
    assert any(f"scancel {job_id}" in text for _level, text in stage.said())


def test_nothing_of_a_cancelled_or_ended_job_changes_any_more(stage: Stage) -> None:
    handle = stage.submit("a")
    stage.submitted(handle)
    stage.session.cancel([handle])
    state = handle.state
    assert not handle.learn(JobState(state="RUNNING"))
    assert not handle.advance(Phase.DONE)
    assert handle.state is state


# --- what a script names ----------------------------------------------------------------------------


def test_a_local_fixtures_directory_is_sent_along_once(stage: Stage) -> None:
    event = block(stage, "connect")
    fixture = stage.local / "sys/part/env/Fixture"
    fixture.mkdir(parents=True)
    (fixture / "answer").write_text("42")
    handles = []
    for number in range(3):
        path = stage.directory(f"sys/part/env/t{number}")
        (path / "job.sh").write_text(f"#!/bin/bash\ncat {fixture}/answer\n")
        handles.append(
            stage.session.submit(JobSpec(f"t{number}", str(path), "job.sh", ("job.out", "job.err")))
        )
    release(event)
    stage.submitted(*handles)
    remote = stage.remote / "sys/part/env/Fixture"
    assert (remote / "answer").read_text() == "42"
    assert f"cat {remote}/answer" in (stage.remote / "sys/part/env/t0/job.sh").read_text()
    sent = [name for names in stage.gateway.uploaded for name in names]
    assert sent.count("sys/part/env/Fixture/answer") == 1


def test_a_text_that_a_hook_wrote_is_translated_and_a_binary_is_not(stage: Stage) -> None:
    path = stage.directory("a", {"input.cfg": f"data={stage.local}/a/data\n"})
    (path / "blob").write_bytes(b"\0" + str(stage.local).encode())
    stage.submitted(stage.submit("a"))
    assert (stage.remote / "a/input.cfg").read_text() == f"data={stage.remote}/a/data\n"
    assert (stage.remote / "a/blob").read_bytes() == b"\0" + str(stage.local).encode()


def test_what_is_left_there_is_stood_in_for_and_not_sent_back(stage: Stage) -> None:
    path = stage.directory("a")
    spec = JobSpec("a", str(path), "job.sh", ("job.out", "job.err"), selection=Selection(exclude=("*.img",)))
    handle = stage.session.submit(spec)
    [job_id] = stage.submitted(handle)
    stage.gateway.finish(job_id, files={"big.img": "1" * 100})
    assert handle.ended.wait(10)
    assert (path / "big.img").stat().st_size == 100
    with pytest.raises(PermissionError, match=r"big\.img: an 'exclude' pattern"):
        (path / "big.img").read_text()
    assert any("left on the system" in text for _level, text in stage.said())
    again = stage.submit("a")
    stage.submitted(again)
    assert (stage.remote / "a/big.img").read_text() == "1" * 100


def test_many_files_that_stay_are_reported_in_one_line(stage: Stage) -> None:
    spec = JobSpec(
        "rfm",
        str(stage.directory("a")),
        "job.sh",
        ("job.out", "job.err"),
        selection=Selection(exclude=("*.img",)),
    )
    job = stage.session.submit(spec)
    [job_id] = stage.submitted(job)
    made = {f"{number}\n.img": "i" for number in range(5)}
    stage.gateway.finish(job_id, files={**made, "job.out.img": "no output", "job.out_1": "an output"})
    eventually(job.ended.is_set)
    [line] = [text for level, text in stage.said() if level >= logging.WARNING]
    assert line.endswith(".img and 5 more: an 'exclude' pattern names it")
    assert "\n" not in line
    assert (stage.local / "a" / "job.out_1").read_text() == "an output"


def test_a_temporary_refusal_is_repeated(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reframe_firecrest.session.submission.RESUBMIT_PAUSES", (0.01,))
    stage.gateway.failures["submit"] = [errors.RejectedError("sbatch: error: QOS limit")] * 3
    path = stage.directory("a")
    spec = JobSpec("a", str(path), "job.sh", ("job.out", "job.err"), resubmit_on=("QOS .*",))
    stage.submitted(stage.session.submit(spec))
    assert stage.gateway.calls["submit"] == 4


def test_nodes_are_asked_for_once_for_many_tests(stage: Stage) -> None:
    assert [node.name for node in stage.session.cluster().nodes] == ["nid001", "nid002"]
    stage.session.cluster()
    assert stage.gateway.calls["cluster"] == 1


def test_a_file_that_can_not_be_packed_is_stood_in_for_and_the_rest_comes(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.unpackable.add("odd")
    stage.gateway.finish(job_id, files={"odd": "1", "result": "2"})
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.DONE
    assert (stage.local / "a/result").read_text() == "2"
    with pytest.raises(PermissionError, match="could not be packed"):
        (stage.local / "a/odd").read_text()


def test_output_that_can_not_be_packed_is_downloaded_by_itself(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.unpackable.add("job.out")
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert handle.state.error is None
    assert (stage.local / "a/job.out").read_text() == "out"


def test_output_that_can_not_be_fetched_at_all_fails_the_test(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.unpackable.add("job.out")
    stage.gateway.failures["download"] = [errors.RejectedError("no")] * 9
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert handle.state.error is not None


def test_an_archive_that_comes_damaged_is_fetched_again(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.damaged = 2
    stage.gateway.finish(job_id, files={"result": "2"})
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.DONE
    assert (stage.local / "a/result").read_text() == "2"
    assert (stage.gateway.calls["archive"], stage.gateway.calls["download"]) == (1, 3)


def test_an_archive_that_is_damaged_there_fails_the_test(stage: Stage) -> None:
    handle = stage.submit("a")
    [job_id] = stage.submitted(handle)
    stage.gateway.damaged = 99
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert "is damaged" in str(handle.state.error)


def test_what_a_job_removed_is_removed_here_unless_it_was_changed_here(stage: Stage) -> None:
    handle = stage.submit("a", files={"temporary": "1", "touched": "1"})
    [job_id] = stage.submitted(handle)
    (stage.remote / "a/temporary").unlink()
    (stage.remote / "a/touched").unlink()
    stage.gateway.finish(job_id)
    (stage.local / "a/touched").write_text("by ReFrame, meanwhile")
    assert handle.ended.wait(10)
    assert not (stage.local / "a/temporary").exists()
    assert (stage.local / "a/touched").exists()


def test_a_link_in_the_place_of_a_sent_file_is_made_and_not_sent_back(stage: Stage) -> None:
    handle = stage.submit("a", files={"current": "old"})
    [job_id] = stage.submitted(handle)
    (stage.remote / "a/current").unlink()
    (stage.remote / "a/current").symlink_to(stage.remote / "a/job.out")
    stage.gateway.finish(job_id)
    assert handle.ended.wait(10)
    assert (stage.local / "a/current").read_text() == "out"
    stage.submitted(stage.submit("a"))
    assert (stage.remote / "a/current").is_symlink()


def test_a_job_that_runs_at_the_end_of_the_process_is_not_forgotten(stage: Stage) -> None:
    [job_id] = stage.submitted(stage.submit("a"))
    stage.close()
    assert stage.gateway.cancelled == [job_id]


def test_the_list_is_asked_for_by_name_until_that_proves_wrong(stage: Stage) -> None:
    first, second = stage.submit("a"), stage.submit("b")
    ids = stage.submitted(first, second)
    eventually(lambda: stage.gateway.names and sorted(stage.gateway.names[-1]) == ["rfm_a", "rfm_b"])
    stage.gateway.hidden.add(ids[0])
    eventually(lambda: stage.gateway.names[-1] == [])
    stage.gateway.finish(ids[0])
    assert first.ended.wait(10)


def test_no_stale_copy_is_read_where_a_hostile_member_was_refused(stage: Stage) -> None:
    handle = stage.submit("a", files={"result": "stale"})
    [job_id] = stage.submitted(handle)
    stage.gateway.hostile.add("result")
    stage.gateway.finish(job_id, files={"result": "new, and longer"})
    assert handle.ended.wait(10)
    assert handle.state.phase is Phase.DONE
    with pytest.raises(PermissionError, match="not a plain file"):
        (stage.local / "a/result").read_text()
