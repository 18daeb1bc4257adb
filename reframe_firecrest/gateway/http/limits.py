"""Limits of the size of responses, and of the rate of transfers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

import anyio
import httpx

from reframe_firecrest.model.units import format_duration
from reframe_firecrest.settings import Settings

RESPONSE_SIZE = 64 * 10**6
"""Bytes that an answer may have: a listing of 200,000 files has about 50 MB."""

UNASKED = (8 << 30) + (256 << 20)
"""Bytes that an archive may have beyond twice what was listed: the pattern that selects its files is coarse,
and each file has a header. The same as unpacking allows, `staging.unpack.UNASKED_BYTES`."""

GROWTH = 1 << 20
"""The same for a file that must fit into memory: a log may have been written on since."""

ERROR_SIZE = 1 << 20
"""Bytes that are read of an answer that reports an error."""

RATE = 1000
"""Bytes a second below which a transfer has stalled. Four parts of a file are transferred at a time, each
with less than half the rate of a 9600 baud line."""

WINDOW = 120.0
"""Seconds of waiting over which the rate is averaged. That is also the timeout of a silent storage, so the
minimum rate does not abort transfers that make progress."""

HEAD = 200.0
"""Seconds until the headers of an answer must be complete, since httpx only limits the time between two
bytes. They cover the 60 s, 10 s and 120 s for a free connection, connecting and the first byte."""

clock = time.monotonic


class TooMuchError(ValueError):
    """A body is larger or deeper than it may be."""


class StalledError(httpx.TransportError):
    """A transfer is slower than the minimum rate."""


@dataclass(frozen=True)
class Limits:
    """Limits for one request.

    Attributes:
        size: bytes that the answer may have, as received and decompressed.
        reason: the origin of that limit, for messages.
        rate: average bytes a second that must be transferred; 0 for no minimum.
    """

    size: int = RESPONSE_SIZE
    reason: str = "'max_response_size'"
    rate: int = RATE


def usual(settings: Settings) -> Limits:
    """Return the limits for requests without their own."""
    return Limits(size=settings.max_response_size, rate=settings.min_transfer_rate)


_CHANGES: ContextVar[Limits | None] = ContextVar("limits of the requests that follow", default=None)


@contextmanager
def limited(limits: Limits | None) -> Iterator[None]:
    """Replace the usual limits in the context; None keeps them."""
    token = _CHANGES.set(limits)
    try:
        yield
    finally:
        _CHANGES.reset(token)


def current(otherwise: Limits) -> Limits:
    """Return the limits for a request that is sent now."""
    return _CHANGES.get() or otherwise


def for_file(general: Limits, listed: int) -> Limits:
    """Return the limits for a file that is downloaded to the disk.

    Args:
        general: the usual limits.
        listed: bytes of the file, or of the files packed in it, in the listing.
    """
    return replace(general, size=2 * listed + UNASKED, reason=_for(listed))


def in_memory(general: Limits, listed: int) -> Limits:
    """Return the limits for a file that is downloaded to memory; see `for_file`."""
    most = 2 * listed + GROWTH
    return general if most <= general.size else replace(general, size=most, reason=_for(listed))


def _for(listed: int) -> str:
    return f"for what was listed with {listed} bytes"


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit the time of the context, regardless of progress.

    Raises:
        StalledError: the time is over.
    """
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise StalledError(f"no answer within {format_duration(seconds)}") from None


class Pace:
    """Monitor of a transfer's rate, over windows of time spent waiting for the server.

    Time for this machine's own disk does not count.

    Args:
        rate: bytes a second; 0 for no minimum.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._waited = 0.0
        self._moved = 0

    @property
    def left(self) -> float | None:
        """Seconds to wait for the next byte, None for no limit."""
        return max(WINDOW - self._waited, 0.0) if self._rate else None

    def moved(self, size: int, waited: float) -> None:
        """Count bytes, and the seconds spent waiting for them.

        Raises:
            StalledError: the rate over the last window is too low.
        """
        self._moved += size
        self._waited += waited
        if self._moved >= self._rate * WINDOW:
            self._moved, self._waited = 0, 0.0
        elif self._waited >= WINDOW:
            raise self.stalled()

    def stalled(self) -> StalledError:
        """Return the error for a window that is over."""
        return StalledError(
            f"{self._moved} bytes in {format_duration(WINDOW)}, less than 'min_transfer_rate'"
        )


class Advance:
    """Monitor of the progress of a transfer that fails repeatedly.

    During the first window, any progress counts. After a window that was too slow, none counts until one was
    fast enough.

    Args:
        rate: bytes a second; 0 for no minimum.
        begin: the first position.
    """

    def __init__(self, rate: int, begin: int) -> None:
        self._rate = rate
        self._since, self._begin = clock(), begin
        self._fast = True

    def counts(self, position: int) -> bool:
        """Report whether progress to a position is fast enough to continue."""
        elapsed = clock() - self._since
        if elapsed >= WINDOW:
            self._fast = position - self._begin >= self._rate * elapsed
            self._since, self._begin = clock(), position
        return self._fast
