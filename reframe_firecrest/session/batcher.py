"""Group commit: whatever waits while a transfer is under way travels in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from reframe_firecrest.model.errors import AuthError, FirecrestError, TransientError, UncertainError

Item = TypeVar("Item")

MAX_DELAY_LIMIT = 0.4
"""Seconds that the first of a few items waits for others at the most."""

LARGE_BATCH_CONCURRENCY = 4
"""Large items under way at a time: each may wait in Slurm's queue and takes room on the local disk."""


@dataclass
class _Waiting(Generic[Item]):
    item: Item
    done: asyncio.Future[None]


class Batcher(Generic[Item]):
    """Collects items and works on them together.

    If a group fails, its members are worked on one by one, so that whoever is to blame fails alone.

    Args:
        work: does it for a group; raises a `FirecrestError` if it fails as a whole.
        weigh: an item's size in bytes.
        limit: bytes that a group may have; a larger item goes alone and holds nobody up.
        max_delay: seconds of quiet to wait for before a group sets out; more where items come in a slower
            row.
        max_delay_limit: tells the seconds after which it sets out anyhow.
        concurrency: groups that may be under way at a time.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[None]],
        weigh: Callable[[Item], int],
        limit: Callable[[], int],
        *,
        max_delay: float = 0.05,
        max_delay_limit: Callable[[], float] = lambda: MAX_DELAY_LIMIT,
        concurrency: int = 2,
    ) -> None:
        self._work = work
        self._weigh = weigh
        self._limit = limit
        self._max_delay = max_delay
        self._max_delay_limit = max_delay_limit
        self._concurrency = concurrency
        self._waiting: list[_Waiting[Item]] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self._lingering = False
        self._joined_at = -max_delay_limit()
        self._gap = max_delay_limit()
        self._heavy = asyncio.Semaphore(LARGE_BATCH_CONCURRENCY)

    async def join(self, item: Item) -> None:
        """Have an item worked on with others; returns when it is done.

        Raises:
            FirecrestError: it failed.
        """
        if self._weigh(item) > self._limit():
            async with self._heavy:
                await self._work([item])
            return
        loop = asyncio.get_running_loop()
        gap = min(loop.time() - self._joined_at, self._max_delay_limit())
        self._joined_at = loop.time()
        self._gap += (gap - self._gap) / 2
        waiting = _Waiting(item, loop.create_future())
        self._waiting.append(waiting)
        self._pump()
        await waiting.done

    def _pump(self) -> None:
        if self._waiting and not self._lingering and len(self._pumps) < self._concurrency:
            task = asyncio.get_running_loop().create_task(self._send())
            self._pumps.add(task)
            task.add_done_callback(self._after)

    def _after(self, task: asyncio.Task[None]) -> None:
        self._pumps.discard(task)
        self._pump()

    async def _send(self) -> None:
        self._lingering = True
        try:
            await self._gather()
        finally:
            self._lingering = False
        group = self._take()
        self._pump()
        if group:
            await self._work_on(group)

    async def _gather(self) -> None:
        """Wait until nothing has come for a while."""
        waited = 0.0
        count = -1
        longest = self._max_delay_limit()
        while count != len(self._waiting) and waited < longest:
            count = len(self._waiting)
            quiet = self._quiet(longest)
            await asyncio.sleep(quiet)
            waited += quiet

    def _quiet(self, longest: float) -> float:
        """Seconds in which the next item would have come, if items are coming in a row."""
        expected = 2 * self._gap
        return expected if self._max_delay < expected < longest / 2 else self._max_delay

    def _take(self) -> list[_Waiting[Item]]:
        """Take what fits together; who has given up waiting is left out."""
        self._waiting = [waiting for waiting in self._waiting if not waiting.done.done()]
        group: list[_Waiting[Item]] = []
        room = self._limit()
        for waiting in list(self._waiting):
            weight = self._weigh(waiting.item)
            if group and weight > room:
                continue
            group.append(waiting)
            self._waiting.remove(waiting)
            room -= weight
            if room <= 0:
                break
        return group

    async def _work_on(self, group: list[_Waiting[Item]]) -> None:
        try:
            await self._work([waiting.item for waiting in group])
        except _NOBODYS_FAULT as error:
            self._settle(group, error)
        except FirecrestError as error:
            if len(group) == 1:
                self._settle(group, error)
            else:
                await asyncio.gather(*(self._work_on([waiting]) for waiting in group))
        except Exception as error:  # noqa: BLE001 - it is handed to those who wait
            self._settle(group, error)
        else:
            self._settle(group, None)

    def _settle(self, group: list[_Waiting[Item]], error: Exception | None) -> None:
        for waiting in group:
            if waiting.done.done():
                continue
            if error is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(error)


_NOBODYS_FAULT = (AuthError, TransientError, UncertainError)
"""Errors that would only come again, however small the group."""
