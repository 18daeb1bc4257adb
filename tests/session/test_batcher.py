"""Group commit: what travels together, and how long is waited for more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from reframe_firecrest.model import errors
from reframe_firecrest.session.batcher import Batcher, BatchPolicy


class Work:
    """Record the groups that it gets."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.groups: list[list[int]] = []
        self.seconds = seconds
        self.refused: set[int] = set()

    async def __call__(self, items: Sequence[int]) -> None:
        self.groups.append(list(items))
        await asyncio.sleep(self.seconds)
        if self.refused.intersection(items):
            raise errors.RejectedError("no")


def group(work: Work, limit: int = 1000, **options: Any) -> Batcher[int]:
    return Batcher(work, lambda item: item, BatchPolicy(limit, **options))


async def consecutive(target: Batcher[int], number: int, gap: float) -> None:
    tasks = []
    for _ in range(number):
        tasks.append(asyncio.create_task(target.join(1)))
        await asyncio.sleep(gap)
    await asyncio.gather(*tasks)


def test_members_in_quick_succession_share_a_batch() -> None:
    work = Work()
    asyncio.run(consecutive(group(work, max_delay=0.005, max_delay_limit=lambda: 1.0), 20, 0.02))
    assert len(work.groups) <= 5


def test_the_longer_it_may_take_the_more_travel_together() -> None:
    few, many = Work(), Work()
    asyncio.run(consecutive(group(few, max_delay=0.005, max_delay_limit=lambda: 0.1), 20, 0.04))
    asyncio.run(consecutive(group(many, max_delay=0.005, max_delay_limit=lambda: 1.0), 20, 0.04))
    assert len(many.groups) < len(few.groups)


def test_what_comes_alone_is_not_held_up() -> None:
    async def alone() -> float:
        target = group(Work(), max_delay=0.01, max_delay_limit=lambda: 10.0)
        begun = time.monotonic()
        await target.join(1)
        return time.monotonic() - begun

    assert asyncio.run(alone()) < 5


def test_a_complete_batch_does_not_wait() -> None:
    work = Work()
    target = group(
        work, max_delay=60.0, max_delay_limit=lambda: 600.0, is_complete=lambda waiting: waiting == 3
    )

    async def three() -> None:
        await asyncio.wait_for(asyncio.gather(*(target.join(number) for number in range(3))), 30)

    asyncio.run(three())
    assert work.groups == [[0, 1, 2]]


def test_a_batch_starts_when_its_last_item_has_come() -> None:
    work = Work()
    target = group(
        work, max_delay=60.0, max_delay_limit=lambda: 600.0, is_complete=lambda waiting: waiting == 3
    )
    asyncio.run(asyncio.wait_for(consecutive(target, 3, 0.05), 30))
    assert work.groups == [[1, 1, 1]]


def test_a_row_without_end_sets_out_all_the_same() -> None:
    work = Work()
    asyncio.run(consecutive(group(work, max_delay=0.05, max_delay_limit=lambda: 0.2), 40, 0.01))
    assert 2 <= len(work.groups) <= 10


def test_no_group_is_larger_than_the_limit() -> None:
    work = Work()

    async def many() -> None:
        target = group(work, limit=10)
        await asyncio.gather(*(target.join(4) for _ in range(6)))

    asyncio.run(many())
    assert all(sum(items) <= 10 for items in work.groups)
    assert sum(map(len, work.groups)) == 6


@pytest.mark.parametrize("concurrency", [1, 2])
def test_no_more_groups_are_under_way_than_there_are_lanes(concurrency: int) -> None:
    work = Work(0.02)
    most = 0

    async def watch() -> None:
        nonlocal most
        target = group(work, limit=1, max_delay=0.0, concurrency=concurrency)
        tasks = [asyncio.create_task(target.join(1)) for _ in range(6)]
        while not all(task.done() for task in tasks):
            most = max(most, len(target._batches))
            await asyncio.sleep(0.005)

    asyncio.run(watch())
    assert most == concurrency


def test_who_is_to_blame_fails_alone() -> None:
    work = Work()
    work.refused.add(3)

    async def all_of_them() -> list[object]:
        target = group(work)
        return list(await asyncio.gather(*(target.join(item) for item in (1, 2, 3)), return_exceptions=True))

    one, two, three = asyncio.run(all_of_them())
    assert (one, two) == (None, None)
    assert isinstance(three, errors.RejectedError)
