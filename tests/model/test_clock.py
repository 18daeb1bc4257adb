"""The clock of a process, which no step of the system's clock changes."""

from __future__ import annotations

import time

import pytest

from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job import JobHandle, JobSpec, Phase
from reframe_firecrest.model.job_times import job_times_of

STEPS = [-10.0, 3600.0, -86_400.0]


def test_it_reports_the_time() -> None:
    assert abs(clock() - time.time()) < 60


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_systems_clock_does_not_change_how_long_a_job_took(
    step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, now = clock(), time.time
    handle = JobHandle(JobSpec("t", "/stage/t", "job.sh", ("o", "e")))
    monkeypatch.setattr(time, "time", lambda: now() + step)
    for phase in (Phase.STAGING, Phase.SUBMITTING, Phase.SUBMITTED, Phase.RETRIEVING, Phase.DONE):
        assert handle.advance(phase)
    times = job_times_of(handle)
    assert times is not None
    assert 0 <= times.staging <= clock() - before
    assert 0 <= times.queue + times.run + times.retrieval <= clock() - before
    assert before - 1 < handle.submitted <= clock()


def test_it_is_active_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux stops CLOCK_MONOTONIC then, but not CLOCK_BOOTTIME (clock_gettime(2))."""
    before, read = clock(), time.clock_gettime
    monkeypatch.setattr(
        time, "clock_gettime", lambda which: read(which) + (7 * 3600 if which == time.CLOCK_BOOTTIME else 0)
    )
    assert clock() - before >= 7 * 3600
