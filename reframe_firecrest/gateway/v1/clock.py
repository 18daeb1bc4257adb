"""The system's clock: FirecREST v1 tells Slurm's times as the system shows them, and not in which zone."""

from __future__ import annotations

QUARTER = 900.0
"""Seconds of which all differences between time zones are multiples."""


class SystemClock:
    """Learns how far the system's zone is from universal time."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        self._certain = False

    def show(self, local: float, now: float) -> None:
        """Take what the system's clock shows now.

        Args:
            local: seconds since the epoch, as if the system's time were universal time.
            now: the same by this machine's clock.
        """
        self._ahead = QUARTER * round((local - now) / QUARTER)
        self._certain = True

    def past(self, local: float, now: float) -> None:
        """Take a time that is over, perhaps only just: the clock shows that time or a later one.

        Args:
            local: seconds since the epoch, as if the system's time were universal time.
            now: the same by this machine's clock.
        """
        ahead = QUARTER * round((local - now) / QUARTER)
        if not self._certain and (self._ahead is None or ahead > self._ahead):
            self._ahead = ahead

    def epoch(self, local: float) -> float:
        """Turn a time of the system's into seconds since the epoch."""
        return local - (self._ahead or 0.0)
