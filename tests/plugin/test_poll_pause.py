"""ReFrame's pause between polls ends when a job has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from reframe.frontend.executors import policies

from reframe_firecrest.plugin import poll_pause
from reframe_firecrest.plugin.poll_pause import LONGEST_SHORT, SHORTEST, InterruptibleTime, shorten_pauses
from reframe_firecrest.session.completions import note_end, wait_for_end

LONG = 30.0


@pytest.fixture(autouse=True)
def none_has_ended() -> Iterator[None]:
    wait_for_end(0.0)
    yield
    wait_for_end(0.0)


def test_a_pause_ends_when_a_job_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    # The job ends during the part of the pause that is always waited.
    monkeypatch.setattr(
        poll_pause, "time", SimpleNamespace(sleep=lambda _seconds: note_end(), monotonic=time.monotonic)
    )
    InterruptibleTime().sleep(LONG)
    assert time.monotonic() - begun < LONG


def test_a_job_that_ended_before_the_pause_shortens_it_and_the_next_one() -> None:
    """ReFrame finishes its test in two cycles."""
    pauses = InterruptibleTime()
    note_end()
    for _ in range(2):
        begun = time.monotonic()
        pauses.sleep(LONG)
        assert SHORTEST <= time.monotonic() - begun < LONG
    begun = time.monotonic()
    pauses.sleep(2 * LONGEST_SHORT)
    assert time.monotonic() - begun >= 2 * LONGEST_SHORT


def test_a_short_pause_is_as_long_as_the_work_before_it() -> None:
    pauses = InterruptibleTime()
    time.sleep(2 * SHORTEST)
    note_end()
    begun = time.monotonic()
    pauses.sleep(LONG)
    assert 2 * SHORTEST <= time.monotonic() - begun < LONG


def test_a_short_pause_is_not_shortened() -> None:
    note_end()
    begun = time.monotonic()
    InterruptibleTime().sleep(SHORTEST / 2)
    assert time.monotonic() - begun >= SHORTEST / 2


def test_reframes_pauses_are_patched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "time", time)
    shorten_pauses()
    patched = policies.time
    shorten_pauses()
    assert isinstance(patched, InterruptibleTime)
    assert policies.time is patched
    assert patched.time is time.time


def test_another_version_of_reframe_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "time", time)
    monkeypatch.delattr(policies, "_PollController")
    shorten_pauses()
    assert policies.time is time
