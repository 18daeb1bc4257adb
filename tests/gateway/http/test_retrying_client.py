"""One request of a gateway's, repeated and limited in time."""

from __future__ import annotations

import asyncio

import pytest

from reframe_firecrest.gateway.http import operations
from tests.gateway.helpers import Api, make_gateway, run


@pytest.mark.parametrize("turns", range(4))
def test_a_cancellation_that_comes_with_the_answer_is_not_forgotten(turns: int) -> None:
    async def work() -> None:
        gateway = make_gateway(Api({}))
        asked, answered = asyncio.Event(), asyncio.Event()

        async def ask() -> None:
            asked.set()
            await answered.wait()

        async def follow() -> None:
            await gateway._call(operations.STAT, ask)
            await asyncio.Event().wait()

        task = asyncio.create_task(follow())
        await asked.wait()
        answered.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done
        assert task.cancelled()
        await gateway.close()

    run(work())
