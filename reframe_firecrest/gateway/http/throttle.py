"""How many requests may be open at a time: as many as the gateway answers without strain.

A gateway works on a handful of requests at once: all of a user's share one SSH connection, which sshd limits
to ten sessions by default (measured: from about eight in parallel, some are refused). What is open here is
more than that, because most of a request's time passes on the network. By Little's law the requests that are
inside the gateway are those open, times the part of an answer's time that is not the network's. That number
is kept in bounds, so a far gateway is asked more at a time than a near one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_FIRST = 8
"""Requests open at a time until more has proved to be fine: what the gateway takes wherever it is."""

INSIDE = 7.0
"""Requests that may be inside the gateway at a time, by estimate."""

SMOOTHING = 1 / 8
"""Weight of the latest answer in the smoothed time of answers."""

STEP = 0.25
"""Places by which an answer moves the number: slower than the smoothed time follows what it causes."""


class Throttle:
    """Lets requests through, a number at a time that follows from how they are answered.

    Args:
        most: requests that may be open at a time, however well they are answered.
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

    def bound(self, at_first: int, inside: float) -> None:
        """Take what a gateway is known to bear; it must not be under strain yet.

        Args:
            at_first: requests that may be open at a time until more has proved to be fine.
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
        """Hold one of the places, as soon as there is one.

        Args:
            urgent: it matters more than a rest of the gateway's.
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
        """Wait until a place may be free; first come, first served."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                # The place was meant for this one; the next takes it.
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
        """Note that a request was answered well, and after how long."""
        self._quickest = min(self._quickest, seconds)
        self._usual += (seconds - self._usual) * SMOOTHING if self._usual else seconds
        inside = self._open * (1 - self._quickest / max(self._usual, self._quickest))
        if inside > self._inside:
            self._limit = max(self._limit - STEP, min(self._at_first, self._limit))
        elif self._waiting:
            # After the gateway has once been strained, the way back up is a slow one.
            self._limit = min(self._limit + (STEP / self._limit if self._strained else STEP), self._most)
            self._wake()

    def strained(self, retry_after: float | None) -> None:
        """Note that the gateway had too much to do: half as many from now on.

        Args:
            retry_after: seconds for which the gateway wants to be left alone, if it said so.
        """
        now = time.monotonic()
        if retry_after is not None:
            self._not_before = max(self._not_before, now + retry_after)
        # What was open at the same time is refused for the same reason: it counts once.
        if now - self._eased_at > max(self._usual, 0.1):
            self._eased_at = now
            self._strained = True
            self._limit = max(self._limit / 2, 1.0)

    def rest(self, seconds: float) -> bool:
        """Let no requests through for a while; tell whether that is news."""
        now = time.monotonic()
        if self._rests_until > now:
            return False
        self._rests_until = now + seconds
        return True
