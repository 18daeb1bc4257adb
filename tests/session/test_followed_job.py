"""When a followed job is due."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from reframe_firecrest.model.job_shape import SINGLE
from reframe_firecrest.session import followed_job
from reframe_firecrest.session.followed_job import FollowedId, FollowedJob
from reframe_firecrest.session.watcher import ignore


def job(**attributes: object) -> FollowedJob:
    loop = asyncio.new_event_loop()
    try:
        followed = FollowedJob(FollowedId("7", "rfm", "/s", SINGLE), ignore, loop.create_future())
    finally:
        loop.close()
    followed.checked_at = followed.state_since = 100.0
    for name, value in attributes.items():
        setattr(followed, name, value)
    return followed


def test_the_first_check_waits_until_the_job_is_expected_to_have_ended() -> None:
    assert job().due(1, 15) == 101
    assert job(expected=3.0).due(1, 15) == 103


@pytest.mark.parametrize(
    ("attributes", "now", "soon"),
    [
        ({"state": "RUNNING", "checked_at": 160.0}, 162.0, False),
        ({"state": "RUNNING", "checked_at": 160.0}, 163.1, True),
        ({"expected": 4.0}, 103.0, False),
        ({"expected": 4.0}, 103.6, True),
    ],
    ids=["early", "half", "not expected", "nearly expected"],
)
def test_a_check_of_others_includes_a_job_that_is_due_soon(
    attributes: dict[str, object], now: float, soon: bool
) -> None:
    assert job(**attributes).is_due_soon(now, 1, 15) is soon


def test_a_job_missing_in_lists_is_queried_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 11.0, 12.0, 21.9, 22.1])
    followed = job()
    monkeypatch.setattr(followed_job, "time", SimpleNamespace(monotonic=lambda: next(times)))
    assert not followed.missed(1.0)
    assert not followed.missed(1.0)
    assert not followed.missed(1.0)
    assert not followed.is_missing_for(12.0)
    assert followed.missed(1.0)
