"""Progress of a run in a line."""

from __future__ import annotations

import pytest

from reframe_firecrest.model.case_state import CaseState
from reframe_firecrest.model.job import JobHandle, JobSpec, JobState, Phase
from reframe_firecrest.session import run_progress
from reframe_firecrest.session.run_progress import RunProgress

TO_SLURM = (Phase.STAGING, Phase.SUBMITTING, Phase.SUBMITTED)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [1000.0]
    monkeypatch.setattr(run_progress, "clock", lambda: moment[0])
    monkeypatch.setattr("reframe_firecrest.model.job.clock", lambda: moment[0])
    return moment


def case(number: int, result: str = "") -> CaseState:
    return CaseState(f"T %n={number}", "daint:gpu+gnu", f"/stage/{number}", result)


def job(progress: RunProgress, number: int, *phases: Phase, **state: str) -> JobHandle:
    handle = JobHandle(JobSpec(f"rfm_T_{number}", f"/stage/{number}", "rfm_job.sh", ()))
    for phase in phases:
        assert handle.advance(phase)
    if state:
        handle.learn(JobState(**state))  # type: ignore[arg-type]
    progress.note_job(handle)
    return handle


def run_of_six(now: list[float]) -> RunProgress:
    progress = RunProgress()
    progress.note_cases([case(number) for number in range(6)])
    job(progress, 0, *TO_SLURM, state="PENDING", reason="Resources")
    now[0] += 60
    job(progress, 1, *TO_SLURM, state="PENDING", reason="Priority")
    job(progress, 2, *TO_SLURM, state="RUNNING")
    job(progress, 3, Phase.STAGING)
    job(progress, 4, *TO_SLURM, Phase.RETRIEVING, Phase.DONE)
    now[0] += 180
    return progress


def test_tests_are_counted_by_what_they_wait_for(now: list[float]) -> None:
    progress = run_of_six(now).now()
    assert progress.log_line() == (
        "waiting: 2 pending (Resources), 1 running, 1 staging, 1 checking, 1 not started, 0 done; "
        "oldest 4 min"
    )
    assert progress.live_line() == (
        "after 4 min: 0 of 6 done; 2 pending (Resources, oldest 4 min), 1 running, 1 staging, 1 checking, "
        "1 not started"
    )
    assert progress.active


def test_results_are_counted_and_failures_of_them(now: list[float]) -> None:
    progress = run_of_six(now)
    progress.note_cases([case(4, "pass"), case(5, "fail"), case(0, "xpass"), case(1, "skip")])
    found = progress.now()
    assert found.live_line() == "after 4 min: 4 of 6 done, 2 failed; 1 running, 1 staging"
    assert found.log_line() == "waiting: 1 running, 1 staging, 4 done (2 failed)"
    progress.note_cases([case(2, "pass"), case(3, "xfail")])
    assert not progress.now().active


def test_time_alone_is_no_change(now: list[float]) -> None:
    progress = run_of_six(now)
    before = progress.now().key
    now[0] += 100
    assert progress.now().key == before
    job(progress, 5, Phase.STAGING)
    assert progress.now().key != before


def test_a_retried_test_is_counted_once(now: list[float]) -> None:
    progress = RunProgress()
    progress.note_cases([case(0), case(0, "fail"), case(0)])
    job(progress, 0, *TO_SLURM, Phase.RETRIEVING, Phase.DONE)
    job(progress, 0, *TO_SLURM, state="RUNNING")
    assert progress.now().live_line() == "after 0 s: 0 of 1 done; 1 running"


def test_a_hostile_reason_stays_in_its_line(now: list[float]) -> None:
    progress = RunProgress()
    progress.note_cases([case(0)])
    job(progress, 0, *TO_SLURM, state="PENDING", reason="a\x1b[2Jb\nc")
    assert "(a\\x1b[2Jb\\nc, oldest 0 s)" in progress.now().live_line()


def test_an_outage_is_shown_before_states_that_are_older(now: list[float]) -> None:
    progress = run_of_six(now)
    before, seconds = progress.now(), [0.0]
    first, second = (lambda: 0.0), (lambda: seconds[0])
    for unavailable in (first, second, second):
        progress.note_gateway(unavailable)
    assert progress.now().key == before.key
    seconds[0] = 90.0
    assert progress.now().key != before.key
    prefix = "gateway unavailable for 1 min 30 s; "
    assert (
        progress.now()
        .live_line()
        .startswith(f"after 4 min: {prefix}0 of 6 done; 2 pending (Resources), 1 running")
    )
    assert progress.now().log_line() == prefix + before.log_line()
