"""The system's clock: FirecREST v1 reports Slurm's times as local times without a time zone."""

from __future__ import annotations

QUARTER = 900.0
"""Seconds; differences between time zones are multiples of it."""


class SystemClock:
    """Estimate the offset of the system's time zone from UTC."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        self._certain = False

    def show(self, local: float, now: float) -> None:
        """Note the current local time of the system.

        Args:
            local: seconds since the epoch, as if the local time were UTC.
            now: seconds since the epoch by this machine's clock.
        """
        self._ahead = QUARTER * round((local - now) / QUARTER)
        self._certain = True

    def past(self, local: float, now: float) -> None:
        """Note a past local time of the system, which bounds the current one.

        Args:
            local: seconds since the epoch, as if the local time were UTC.
            now: seconds since the epoch by this machine's clock.
        """
        ahead = QUARTER * round((local - now) / QUARTER)
        if not self._certain and (self._ahead is None or ahead > self._ahead):
            self._ahead = ahead

    def epoch(self, local: float) -> float:
        """Convert a local time of the system to seconds since the epoch."""
        return local - (self._ahead or 0.0)
