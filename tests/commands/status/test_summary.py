"""Status of a session: phases, times, counts, errors."""

from __future__ import annotations

import pytest

from reframe_firecrest.journal.events import Closed, JobMoved, Removed, Traffic, Transferred
from reframe_firecrest.journal.reader import SessionLog, read
from reframe_firecrest.journal.run_status import RunStatus
from reframe_firecrest.journal.summary import SessionSummary, summarise_session
from reframe_firecrest.model.units import format_duration
from tests.commands.status.conftest import BEGUN, Write, job, opened

NOW = BEGUN + 100


def story_of(write: Write, *events: object) -> SessionLog:
    journal = write(opened(), *events)
    journal.close()
    session_log = read(journal.path)
    assert session_log is not None
    return session_log


def overview(write: Write, *events: object, standing: RunStatus = RunStatus.GOES_ON) -> SessionSummary:
    return summarise_session(story_of(write, *events), standing, NOW)


def lived(number: int, *phases: str, every: float = 1.0, **more: object) -> list[JobMoved]:
    return [job(number, place * every, phase, **more) for place, phase in enumerate(phases)]


def test_jobs_are_counted_by_phase_and_by_slurms_state(write: Write) -> None:
    found = overview(
        write,
        *lived(1, "queued", "staging"),
        *lived(2, "queued", "submitted", state="PENDING", reason="Priority", job_id="12"),
        *lived(3, "queued", "submitted", state="RUNNING", nodes="nid[1-2]"),
        *lived(4, "queued", "done", state="FAILED", exit_code=3),
    )
    assert found.phases == {"staging": 1, "submitted": 2, "done": 1}
    assert found.states == {"PENDING": 1, "RUNNING": 1}
    assert [line.number for line in found.jobs] == [2, 3, 1, 4]
    assert (found.jobs[0].job_id, found.jobs[0].reason) == ("12", "Priority")
    assert found.jobs[1].nodes == "nid[1-2]"
    assert found.jobs[3].exit_code == 3


def test_the_time_is_that_in_the_phase_however_often_it_was_reported(write: Write) -> None:
    [line] = overview(
        write,
        job(1, 0, "queued"),
        job(1, 20, "submitted", state="PENDING"),
        job(1, 50, "submitted", state="PENDING", reason="Resources"),
    ).jobs
    assert line.seconds == 80


def test_the_time_of_a_running_job_is_without_the_queue(write: Write) -> None:
    [line] = overview(
        write,
        job(1, 0, "queued"),
        job(1, 20, "submitted", state="PENDING", reason="Resources"),
        job(1, 60, "submitted", state="RUNNING", elapsed=5.0),
    ).jobs
    assert (line.seconds, line.waited) == (45, 35)


def test_a_clean_up_does_not_move_the_end(write: Write) -> None:
    found = overview(
        write,
        *lived(1, "queued", "done"),
        Closed(time=BEGUN + 30),
        Removed(time=BEGUN + 90, path="."),
        Closed(time=BEGUN + 90),
        standing=RunStatus.ENDED,
    )
    assert found.until == BEGUN + 30


def test_a_clean_up_after_a_kill_does_not_move_the_last_sign_of_life(write: Write) -> None:
    found = overview(
        write,
        *lived(1, "queued", "submitted"),
        Closed(time=BEGUN + 90, killed_at=BEGUN + 1),
        Closed(time=BEGUN + 95),
        standing=RunStatus.ENDED,
    )
    assert (found.until, found.killed) == (BEGUN + 1, True)


def test_an_outage_goes_on_until_the_session_records_its_end(write: Write) -> None:
    traffic = Traffic(time=BEGUN + 40, requests=1, bytes_sent=1, bytes_received=1, unavailable=16.0)
    assert overview(write, traffic).unavailable == 76.0
    assert overview(write, traffic, standing=RunStatus.KILLED).unavailable == 0.0
    after = traffic.model_copy(update={"time": BEGUN + 90, "unavailable": 0.0})
    assert overview(write, traffic, after).unavailable == 0.0


@pytest.mark.parametrize("phase", ["done", "failed", "cancelled"])
def test_of_one_that_has_ended_it_is_all_that_it_took(phase: str, write: Write) -> None:
    [line] = overview(write, job(1, 5, "queued"), job(1, 20, "submitted"), job(1, 45, phase)).jobs
    assert line.seconds == 40
    assert line.reason is None


def test_what_waits_in_the_queue_is_reported_for_each_and_for_all(write: Write) -> None:
    found = overview(
        write,
        *lived(1, "queued", "staging"),
        *[job(2, 0, "queued"), job(2, 10, "submitted", state="PENDING")],
        *[
            job(3, 0, "queued"),
            job(3, 10, "submitted"),
            job(3, 40, "submitted", state="RUNNING", elapsed=10.0),
        ],
        *[job(4, 0, "queued"), job(4, 10, "submitted"), job(4, 50, "done", elapsed=38.0)],
    )
    assert {line.number: line.waited for line in found.jobs} == {1: None, 2: 90, 3: 20, 4: 2}
    assert found.waited == (20, 90)
    assert overview(write, *lived(1, "queued")).waited is None


def test_time_stands_still_when_the_session_is_over(write: Write) -> None:
    events = (
        job(1, 5, "queued"),
        job(1, 20, "submitted"),
        Traffic(time=BEGUN + 30, requests=1, bytes_sent=1, bytes_received=1),
    )
    found = overview(write, *events, standing=RunStatus.KILLED)
    assert found.jobs[0].seconds == 10
    assert found.until == BEGUN + 30


def test_the_last_error_is_the_latest(write: Write) -> None:
    found = overview(
        write, job(1, 9, "failed", error="quota exceeded"), job(2, 5, "failed", error="no such account")
    )
    assert found.last_error == "t1: quota exceeded"


def test_what_went_over_the_wire_and_what_is_left(write: Write) -> None:
    found = overview(
        write,
        Transferred(time=BEGUN, way="sent", files=3, jobs=1, size=10, seconds=1),
        Transferred(time=BEGUN, way="sent", files=4, jobs=1, size=10, seconds=1),
        Transferred(time=BEGUN, way="fetched", files=5, jobs=1, size=10, seconds=1),
        Traffic(time=BEGUN, requests=9, bytes_sent=100, bytes_received=200),
        Closed(time=BEGUN + 1, left=("12",)),
        standing=RunStatus.ENDED,
    )
    assert (found.requests, found.bytes_sent, found.bytes_received) == (9, 100, 200)
    assert (found.files_sent, found.files_fetched) == (7, 5)
    assert found.left == ("12",)


def test_a_phase_of_a_later_version_is_shown_behind_the_others(write: Write) -> None:
    found = overview(write, job(1, 0, "paused"), job(2, 0, "done"))
    assert [line.phase for line in found.jobs] == ["done", "paused"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (8.0, "8 s"),
        (59.6, "1 min"),
        (45, "45 s"),
        (3599, "59 min 59 s"),
        (1800, "30 min"),
        (3601, "1 h"),
        (7500, "2 h 5 min"),
        (86_400, "1 d"),
        (93_600, "1 d 2 h"),
    ],
)
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
