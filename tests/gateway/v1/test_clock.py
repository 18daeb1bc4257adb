from __future__ import annotations

import pytest

from reframe_firecrest.gateway.v1.clock import SystemClock

NOW = 1_800_000_000.0
HOUR = 3600.0


@pytest.mark.parametrize("zone", [-11 * HOUR, 0.0, 5.75 * HOUR, 13 * HOUR])
def test_a_running_job_shows_the_time_zone(zone: float) -> None:
    clock = SystemClock()
    clock.show(NOW + zone + 2, NOW)
    assert clock.epoch(NOW + zone - 60) == NOW - 60


def test_a_job_that_has_just_ended_shows_it_too() -> None:
    clock = SystemClock()
    clock.past(NOW + HOUR - 30, NOW)
    assert clock.epoch(NOW + HOUR - 30) == NOW - 30


def test_one_that_has_ended_long_ago_does_not_take_back_what_a_later_one_told() -> None:
    clock = SystemClock()
    clock.past(NOW + HOUR - 30, NOW)
    clock.past(NOW - 5 * HOUR, NOW)
    assert clock.epoch(NOW + HOUR) == NOW


def test_what_a_running_job_has_told_is_certain() -> None:
    clock = SystemClock()
    clock.show(NOW + HOUR, NOW)
    clock.past(NOW + 9 * HOUR, NOW)
    assert clock.epoch(NOW + HOUR) == NOW


def test_without_any_sign_it_is_universal_time() -> None:
    assert SystemClock().epoch(NOW) == NOW
