"""Concurrent work of which all parts are needed."""

from __future__ import annotations

import asyncio

import pytest

from reframe_firecrest.model.concurrency import all_or_none


def test_results_come_in_order() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0.001 * (3 - number))
        return number

    assert asyncio.run(all_or_none([work(number) for number in range(3)])) == [0, 1, 2]


def test_an_error_ends_the_rest_before_it_is_raised() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        asyncio.run(all_or_none([wait(), fail(), wait()]))
    assert ended == ["waiting"] * 2
