"""Limit of open requests, adapted to what the gateway answers without overload.

A gateway processes few requests at a time: those of one user share an SSH connection, which sshd limits to
ten sessions by default (measured: with about eight in parallel, some are refused). More requests can be open
here, because most of a request's time is spent on the network. By Little's law, the requests inside the
gateway are the open ones times the fraction of the response time that is not spent on the network. That
number is kept within bounds, so a distant gateway gets more requests at a time than a near one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_FIRST = 8
"""Open requests that are allowed initially; any gateway bears that many."""

INSIDE = 7.0
"""Requests that may be inside the gateway at a time, by estimate."""

SMOOTHING = 1 / 8
"""Weight of the latest response time in the smoothed one."""

STEP = 0.25
"""Change of the limit with one answer; slower than the smoothed response time reacts to it."""

FIRST_STEP = 1.0
"""The same while the gateway has little to do, until it first has more: the limit doubles with the time of
one request, as in TCP's slow start."""

LITTLE = 0.5
"""Share of the requests that may be inside the gateway up to which it has little to do."""


class Throttle:
    """Limit the open requests; the limit follows the response times.

    Args:
        most: upper bound of the limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = 0.0
        self.bound(AT_FIRST, INSIDE)
        self._open = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._quickest = math.inf
        self._usual = 0.0
        self._not_before = 0.0
        self._rests_until = 0.0
        self._eased_at = -math.inf
        self._strained = False
        self._step = FIRST_STEP

    def bound(self, at_first: int, inside: float) -> None:
        """Set the load that a gateway is known to bear, before it has been overloaded.

        Args:
            at_first: open requests that are allowed initially.
            inside: requests that may be inside the gateway at a time, by estimate.
        """
        self._at_first, self._inside = at_first, inside
        self._limit = float(min(at_first, self._most))

    @property
    def limit(self) -> int:
        """Requests that may be open now."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Occupy a slot, as soon as one is free.

        Args:
            urgent: do not wait for the end of the gateway's rest.
        """
        await self._enter(urgent=urgent)
        try:
            yield
        finally:
            self._open -= 1
            self._wake()

    async def _enter(self, *, urgent: bool) -> None:
        while True:
            begin = self._not_before if urgent else max(self._not_before, self._rests_until)
            pause = begin - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            elif self._open < self.limit:
                self._open += 1
                return
            else:
                await self._turn()

    async def _turn(self) -> None:
        """Wait until a slot may be free; first come, first served."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                # A slot was freed for this request; pass it on.
                self._wake()
            raise

    def _wake(self) -> None:
        free = self.limit - self._open
        while self._waiting and free > 0:
            turn = self._waiting.pop(0)
            if not turn.done():
                turn.set_result(None)
                free -= 1

    def answered(self, seconds: float) -> None:
        """Adapt the limit to the response time of a request that succeeded."""
        self._quickest = min(self._quickest, seconds)
        self._usual += (seconds - self._usual) * SMOOTHING if self._usual else seconds
        inside = self._open * (1 - self._quickest / max(self._usual, self._quickest))
        if inside > LITTLE * self._inside:
            self._step = STEP
        if inside > self._inside:
            self._limit = max(self._limit - STEP, min(self._at_first, self._limit))
        elif self._waiting:
            # After an overload, the limit rises slowly.
            self._limit = min(
                self._limit + (STEP / self._limit if self._strained else self._step), self._most
            )
            self._wake()

    def strained(self, retry_after: float | None) -> None:
        """Halve the limit after an overload.

        Args:
            retry_after: seconds that the gateway asks to wait, if it does.
        """
        now = time.monotonic()
        if retry_after is not None:
            self._not_before = max(self._not_before, now + retry_after)
        # Requests that were open at the same time are refused for the same reason, which counts once.
        if now - self._eased_at > max(self._usual, 0.1):
            self._eased_at = now
            self._strained = True
            self._limit = max(self._limit / 2, 1.0)

    def rest(self, seconds: float) -> bool:
        """Block requests for a while; return False if they were blocked already."""
        now = time.monotonic()
        if self._rests_until > now:
            return False
        self._rests_until = now + seconds
        return True
