"""The expected time of a job, from those that have ended."""

from __future__ import annotations

from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.session.expected_times import REMEMBERED, ExpectedTimes


def part(submitted: float | None, end: float | None) -> JobPart:
    return JobPart("7", "rfm", "COMPLETED", None, 0, "nid001", submitted, end, "/scratch")


def test_nothing_is_expected_at_first() -> None:
    times = ExpectedTimes()
    assert times.get() is None
    times.note([part(None, 5.0), part(3.0, None)])
    assert times.get() is None


def test_the_middle_of_the_last_jobs_is_expected() -> None:
    times = ExpectedTimes()
    for seconds in (1000.0, 2.0, 3.0):
        times.note([part(10.0, 10.0 + seconds)])
    assert times.get() == 3.0
    for _ in range(REMEMBERED):
        times.note([part(10.0, 15.0)])
    assert times.get() == 5.0


def test_the_last_part_of_a_job_counts() -> None:
    times = ExpectedTimes()
    times.note([part(10.0, 12.0), part(10.0, 14.0)])
    assert times.get() == 4.0
