"""Records of a session: the journal, the lines with -v and the summary."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from reframe_firecrest.commands.clean.traces import created_nothing
from reframe_firecrest.journal.process_identity import own_identity
from reframe_firecrest.journal.reader import SessionLog, session_logs
from reframe_firecrest.model.case_state import CaseState
from reframe_firecrest.model.errors import (
    ForbiddenError,
    GatewayError,
    NotFoundError,
    OperationTimeoutError,
    TransientError,
    UncertainError,
)
from reframe_firecrest.model.job import JobHandle, JobSpec, JobState, Phase
from reframe_firecrest.model.job_times import JobTimes, breakdown, job_times_of, summary_line
from reframe_firecrest.model.units import format_size
from reframe_firecrest.session import progress, session_record
from reframe_firecrest.session.log_queue import LogQueue
from reframe_firecrest.session.progress import reported
from reframe_firecrest.session.reactor import reactor
from tests.session.conftest import Stage, eventually


def session_log(stage: Stage) -> SessionLog:
    [found] = session_logs(stage.settings.journal_dir)
    return found


def test_the_journal_has_every_phase_of_a_job_and_the_end(stage: Stage) -> None:
    job = stage.submit("a")
    [job_id] = stage.submitted(job)
    stage.gateway.finish(job_id)
    eventually(job.ended.is_set)
    assert session_log(stage).closed is None
    stage.close()
    recorded = session_log(stage)
    assert recorded.opened.root == str(stage.remote)
    phases = list(dict.fromkeys(move.phase for move in recorded.moves[job.number]))
    assert phases == ["queued", "staging", "submitting", "submitted", "retrieving", "done"]
    assert recorded.jobs[job.number].job_id == job_id
    assert recorded.jobs[job.number].nodes == "nid[001-002]"
    assert [batch.way for batch in recorded.transfers] == ["sent", "fetched"]
    assert recorded.traffic is not None
    assert recorded.traffic.requests > 5
    assert recorded.closed is not None
    assert recorded.closed.left == ()


def test_the_journal_has_reframes_tests_with_their_last_states(stage: Stage) -> None:
    first, second = CaseState("T %n=0", "daint:gpu+gnu"), CaseState("T %n=1", "daint:gpu+gnu")
    ended = replace(first, directory="/stage/t0", result="fail", stage="sanity")
    stage.session.note_cases([first, second])
    stage.session.note_cases([ended])
    stage.close()
    cases = session_log(stage).cases
    assert [*cases] == [first.key, second.key]
    found = cases[first.key]
    assert (found.directory, found.result, found.stage) == ("/stage/t0", "fail", "sanity")


def test_the_journal_names_the_jobs_that_may_still_be_there(stage: Stage) -> None:
    job = stage.submit("a")
    [job_id] = stage.submitted(job)
    stage.gateway.failures["cancel"] = [TransientError("away")]
    stage.close()
    recorded = session_log(stage)
    assert recorded.closed is not None
    assert recorded.closed.left == (job_id,)
    assert recorded.jobs[job.number].phase == "cancelled"


def test_the_journal_reports_why_a_job_waits(stage: Stage) -> None:
    job = stage.submit("a")
    stage.submitted(job)
    eventually(lambda: session_log(stage).jobs[job.number].reason == "Resources")


def test_a_session_in_which_nothing_happens_gives_signs_of_life(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_record, "HEARTBEAT_INTERVAL", 0.01)
    assert stage.session
    eventually(lambda: session_log(stage).traffic is not None)
    before = session_log(stage).last
    eventually(lambda: session_log(stage).last > before)


def test_an_outage_is_recorded_when_it_begins_and_when_it_ends(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_record, "OUTAGE_INTERVAL", 0.01)
    assert stage.session
    stage.gateway.outage = 16.0
    eventually(lambda: _unavailable(stage) == 16.0)
    stage.gateway.outage = 0.0
    eventually(lambda: _unavailable(stage) == 0.0)


def _unavailable(stage: Stage) -> float | None:
    traffic = session_log(stage).traffic
    return traffic.unavailable if traffic else None


@pytest.mark.parametrize(
    ("failures", "outcome"),
    [
        ({}, "made"),
        (
            {"connect": [NotFoundError("no system")], "make_directory": [NotFoundError("no system")]},
            "refused",
        ),
        ({"make_directory": [ForbiddenError("Permission denied")]}, "refused"),
        ({"connect": [TransientError("away")], "make_directory": [TransientError("away")]}, "refused"),
        ({"connect": [NotFoundError("no system")]}, "made"),
        ({"make_directory": [UncertainError("no answer")]}, "asked"),
        ({"make_directory": [OperationTimeoutError("took too long")]}, "asked"),
    ],
)
def test_the_journal_proves_whether_anything_was_created(
    failures: dict[str, list[GatewayError]], outcome: str, stage: Stage
) -> None:
    stage.gateway.failures.update(failures)
    job = stage.submit("a")
    eventually(lambda: job.ended.is_set() or job.state.job_id)
    stage.close()
    recorded = session_log(stage)
    assert recorded.opened.tells_creation
    assert recorded.prepared is not None
    assert recorded.prepared.outcome == outcome
    assert created_nothing(recorded) is (outcome == "refused")


def test_the_journal_names_its_owner(stage: Stage) -> None:
    assert stage.session
    opened = session_log(stage).opened
    own = own_identity()
    assert (opened.boot, opened.namespaces) == (own.boot, own.namespaces)
    assert (opened.pid, opened.started) == (own.pid, own.started)
    assert opened.dead_after == 86_400


def test_jobs_that_there_is_no_time_to_cancel_are_named(stage: Stage) -> None:
    jobs = [stage.submit(name) for name in "abc"]
    ids = stage.submitted(*jobs)
    answered = stage.gateway.blocked["cancel"] = asyncio.Event()
    stage.session.cancel(jobs)
    stage.session.shutdown(0.0)
    reactor().call(answered.set)
    [warning] = [text for _, text in stage.said() if "scancel" in text]
    assert f"scancel {' '.join(sorted(ids))} (there was no time" in warning
    recorded = session_log(stage)
    assert recorded.closed is not None
    assert recorded.closed.left == tuple(sorted(ids))


def test_a_summary_ends_the_session(stage: Stage) -> None:
    job = stage.submit("a")
    [job_id] = stage.submitted(job)
    stage.gateway.finish(job_id)
    eventually(job.ended.is_set)
    stage.close()
    said = stage.said()
    summary = [text for level, text in said if level == logging.INFO][-1]
    assert summary.startswith("'fake': 1 job in ")
    assert " requests (" in summary
    details = [text for level, text in said if level == logging.DEBUG]
    assert any(text.startswith("slowest in retrieval: rfm_a ") for text in details)
    assert any(text.startswith("sent 1 file of 1 stage directory") for text in details)
    assert any(text.startswith("fetched ") for text in details)


def test_nothing_is_said_where_nothing_was_done(stage: Stage) -> None:
    assert stage.session
    stage.close()
    assert [text for level, text in stage.said() if level >= logging.INFO] == []


def test_the_time_of_a_job_is_divided_into_parts() -> None:
    handle = JobHandle(JobSpec("t", "/stage/t", "job.sh", ("o", "e")))
    handle.moments.update(
        {Phase.QUEUED: 100.0, Phase.SUBMITTED: 103.0, Phase.RETRIEVING: 120.0, Phase.DONE: 121.5}
    )
    handle.learn(JobState(elapsed=10.0))
    assert job_times_of(handle) == JobTimes("t", staging=3.0, queue=7.0, run=10.0, retrieval=1.5)


def test_a_job_that_is_not_done_has_no_times() -> None:
    assert job_times_of(JobHandle(JobSpec("t", "/stage/t", "job.sh", ("o", "e")))) is None


def test_the_slowest_are_named() -> None:
    times = [JobTimes(f"t{number}", number, 1, 1, 1) for number in range(5)]
    lines = breakdown(times)
    assert lines[0] == "a job's time, median: staging 2.0 s, queue 1.0 s, run 1.0 s, retrieval 1.0 s"
    assert lines[1] == "slowest in staging: t4 4.0 s, t3 3.0 s, t2 2.0 s"


def test_the_total_is_one_line() -> None:
    counts = {"requests": 30, "bytes_sent": 1500, "bytes_received": 2_000_000}
    assert summary_line("daint", 20, 9.7, counts) == (
        "'daint': 20 jobs in 10 s, 30 requests (1.5 a job), 1.5 kB sent, 2.0 MB received"
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (999_800, "1.0 MB"),
        (3.2e9, "3.2 GB"),
        (4e12, "4000.0 GB"),
    ],
)
def test_sizes_are_written_for_people(size: float, text: str) -> None:
    assert format_size(size) == text


def test_a_long_transfer_reports_its_progress(monkeypatch: pytest.MonkeyPatch, logs: LogQueue) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    recorded: list[str] = []

    async def transfer() -> None:
        async with reported("sending 2.0 MB") as note:
            note(500_000, 2_000_000)
            while not recorded:
                recorded.extend(text for _level, text in logs.take())
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(transfer(), 10))
    assert recorded[0].startswith("sending 2.0 MB: 500.0 kB of 2.0 MB after ")


def test_a_quick_transfer_reports_nothing(logs: LogQueue) -> None:
    async def transfer() -> None:
        async with reported("sending") as note:
            note(1, 2)

    asyncio.run(transfer())
    assert logs.take() == []
