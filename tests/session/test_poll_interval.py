"""When a job is looked at again."""

from __future__ import annotations

import pytest

from reframe_firecrest.session.poll_interval import (
    GRACE,
    first_interval,
    next_interval,
    scaled,
    shortest_interval,
)


@pytest.mark.parametrize(
    ("age", "remaining", "seconds"),
    [
        (0, None, 1),
        (1, None, 1),
        (3, None, 1.5),
        (5, None, 2),
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


@pytest.mark.parametrize(
    ("expected", "seconds"),
    [(None, 1), (0.2, 1), (2.5, 2.5), (60, 5)],
    ids=["unknown", "short", "known", "long"],
)
def test_the_first_look_is_when_a_job_should_have_ended_but_not_late(
    expected: float | None, seconds: float
) -> None:
    assert first_interval(expected, 1, 15) == seconds
    assert first_interval(expected, 1, 2) == min(seconds, 2)


@pytest.mark.parametrize(
    ("jobs", "seconds"), [(1, 1), (12, 1), (13, 2), (25, 3), (50, 3), (100, 4), (1000, 6)]
)
def test_a_crowd_is_looked_at_at_its_own_pace(jobs: int, seconds: float) -> None:
    assert shortest_interval(jobs, 1) == seconds


@pytest.mark.parametrize(("jobs", "seconds"), [(1, 1), (50, 1), (100, 2), (1000, 3)])
def test_a_crowd_is_looked_at_less_often(jobs: int, seconds: float) -> None:
    assert scaled(jobs, 1) == seconds
