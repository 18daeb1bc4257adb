"""When a job is looked at again."""

from __future__ import annotations

import pytest

from reframe_firecrest.session.poll_interval import GRACE, next_interval, scaled


@pytest.mark.parametrize(
    ("age", "remaining", "seconds"),
    [
        (0, None, 1),
        (5, None, 1),
        (60, None, 6),
        (3600, None, 15),
        # The time limit ends it sooner than its age would have it looked at.
        (120, 4, 4 + GRACE),
        (3600, 600, 15),
        # It should have ended by now.
        (3600, -30, 1),
        # Slurm does not seem to know that.
        (3600, -90, 15),
    ],
)
def test_the_longer_a_job_has_been_in_its_state_the_longer_until_the_next_look(
    age: float, remaining: float | None, seconds: float
) -> None:
    assert next_interval(age, remaining, 1, 15) == pytest.approx(seconds)


@pytest.mark.parametrize(("jobs", "seconds"), [(1, 1), (50, 1), (100, 2), (1000, 3)])
def test_a_crowd_is_looked_at_less_often(jobs: int, seconds: float) -> None:
    assert scaled(jobs, 1) == seconds
