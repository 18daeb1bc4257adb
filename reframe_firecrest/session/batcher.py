"""Group commit: items that arrive while a batch is in progress form the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from reframe_firecrest.model.errors import AuthError, FirecrestError, TransientError, UncertainError

Item = TypeVar("Item")

MAX_DELAY_LIMIT = 0.4
"""Longest delay of a batch by default, in seconds."""

LARGE_ITEM_CONCURRENCY = 4
"""Large items in progress at a time: each may wait in Slurm's queue and needs local disk space."""

COMMON_ERRORS = (AuthError, TransientError, UncertainError)
"""Errors that concern the whole batch: its items would fail in the same way one by one."""


@dataclass(frozen=True)
class BatchPolicy:
    """Size and delay of batches.

    Attributes:
        limit: bytes in a batch; a larger item forms a batch of its own and delays no other.
        max_delay: seconds without a new item after which a batch starts. It is longer if items arrive
            regularly at a lower rate.
        max_delay_limit: returns the seconds after which a batch starts although items keep arriving.
        concurrency: batches in progress at a time.
        is_complete: given the number of items that wait, returns true if no other is on its way.
    """

    limit: int
    max_delay: float = 0.05
    max_delay_limit: Callable[[], float] = lambda: MAX_DELAY_LIMIT
    concurrency: int = 2
    is_complete: Callable[[int], bool] = lambda waiting: False  # noqa: ARG005 - an item may always come


@dataclass
class _Waiting(Generic[Item]):
    item: Item
    done: asyncio.Future[None]


class Batcher(Generic[Item]):
    """Collect items into batches.

    If a batch fails, its items are processed one by one, so that only the item at fault fails.

    Args:
        work: processes a batch; raises a `FirecrestError` if it fails.
        size_of: returns an item's size in bytes.
        policy: size and delay of batches.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[None]],
        size_of: Callable[[Item], int],
        policy: BatchPolicy,
    ) -> None:
        self._work = work
        self._size_of = size_of
        self._policy = policy
        self._waiting: list[_Waiting[Item]] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._collecting = False
        self._joined = asyncio.Event()
        self._joined_at = -policy.max_delay_limit()
        self._mean_gap = policy.max_delay_limit()
        self._large = asyncio.Semaphore(LARGE_ITEM_CONCURRENCY)

    async def join(self, item: Item) -> None:
        """Process an item in a batch, and return when that is done.

        Raises:
            FirecrestError: it failed.
        """
        if self._size_of(item) > self._policy.limit:
            async with self._large:
                await self._work([item])
            return
        loop = asyncio.get_running_loop()
        gap = min(loop.time() - self._joined_at, self._policy.max_delay_limit())
        self._joined_at = loop.time()
        self._mean_gap += (gap - self._mean_gap) / 2
        waiting = _Waiting(item, loop.create_future())
        self._waiting.append(waiting)
        self._joined.set()
        self._start_batch()
        await waiting.done

    def _start_batch(self) -> None:
        if self._waiting and not self._collecting and len(self._batches) < self._policy.concurrency:
            task = asyncio.get_running_loop().create_task(self._run_batch())
            self._batches.add(task)
            task.add_done_callback(self._batch_done)

    def _batch_done(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        self._start_batch()

    async def _run_batch(self) -> None:
        self._collecting = True
        try:
            await self._collect()
        finally:
            self._collecting = False
        batch = self._take()
        self._start_batch()
        if batch:
            await self._process(batch)

    async def _collect(self) -> None:
        """Wait until no item has arrived for a while, or none can."""
        loop = asyncio.get_running_loop()
        longest = self._policy.max_delay_limit()
        latest = loop.time() + longest
        # What arrives at the same moment belongs together.
        await asyncio.sleep(0)
        while not self._policy.is_complete(len(self._waiting)):
            self._joined.clear()
            quiet = self._joined_at + self._delay(longest)
            try:
                await asyncio.wait_for(self._joined.wait(), min(quiet, latest) - loop.time())
            except asyncio.TimeoutError:
                return

    def _delay(self, longest: float) -> float:
        """Return the seconds within which the next item is expected if items arrive regularly."""
        expected = 2 * self._mean_gap
        shortest = self._policy.max_delay
        return expected if shortest < expected < longest / 2 else shortest

    def _take(self) -> list[_Waiting[Item]]:
        """Take the items of the next batch, without those whose callers were cancelled."""
        self._waiting = [waiting for waiting in self._waiting if not waiting.done.done()]
        batch: list[_Waiting[Item]] = []
        room = self._policy.limit
        for waiting in list(self._waiting):
            size = self._size_of(waiting.item)
            if batch and size > room:
                continue
            batch.append(waiting)
            self._waiting.remove(waiting)
            room -= size
            if room <= 0:
                break
        return batch

    async def _process(self, batch: list[_Waiting[Item]]) -> None:
        try:
            await self._work([waiting.item for waiting in batch])
        except COMMON_ERRORS as error:
            self._settle(batch, error)
        except FirecrestError as error:
            if len(batch) == 1:
                self._settle(batch, error)
            else:
                await asyncio.gather(*(self._process([waiting]) for waiting in batch))
        except Exception as error:  # noqa: BLE001 - raised in the callers of join
            self._settle(batch, error)
        else:
            self._settle(batch, None)

    def _settle(self, batch: list[_Waiting[Item]], error: Exception | None) -> None:
        for waiting in batch:
            if waiting.done.done():
                continue
            if error is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(error)
