"""Estimated cost of lists of jobs: whether lists by name are cheaper than one of all jobs."""

from __future__ import annotations

import time

ROW = 1000
"""Approximate bytes of a job in an answer."""

RATE = 500_000
"""Bytes a second at which the cost of an answer's size is estimated: some of it is the gateway's own work."""

FEW_PIECES = 3
"""Lists by name that are preferred to one of all jobs whose size is unknown."""

REQUEST_TIME = 0.3
"""Seconds that a request for jobs is assumed to take until one was measured: it costs the gateway two Slurm
commands."""

KNOWN_FOR = 300.0
"""Seconds for which the size of a list of all jobs is taken as known, since jobs leave its time window."""


class ListCost:
    """Estimated cost of lists, in seconds, from the last answers."""

    def __init__(self) -> None:
        self._request = REQUEST_TIME
        self._rows_per_name = 1.0
        self._all: tuple[int, float] | None = None

    def note_by_name(self, seconds: float, rows: int, names: int) -> None:
        """Note the time of a list by name, and the numbers of its entries and names."""
        self._request += (max(seconds - rows * ROW / RATE, 0.0) - self._request) / 2
        self._rows_per_name += (rows / names - self._rows_per_name) / 2

    def note_all(self, rows: int) -> None:
        """Note the number of entries in a list of all jobs."""
        self._all = rows, time.monotonic()

    def prefers_names(self, pieces: int, names: int) -> bool:
        """Return true if lists by name are cheaper than one of all jobs.

        Args:
            pieces: number of lists by name.
            names: number of names in them.
        """
        if pieces == 1:
            return True
        if self._all is None or self._all[1] < time.monotonic() - KNOWN_FOR:
            return pieces <= FEW_PIECES
        return (pieces - 1) * self._request < (self._all[0] - names * self._rows_per_name) * ROW / RATE
