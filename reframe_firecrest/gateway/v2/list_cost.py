"""Estimated cost of lists of jobs: whether lists by name are cheaper than one of all jobs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

ROW = 1000
"""Approximate bytes of a job in an answer."""

RATE = 500_000
"""Bytes a second at which the cost of an answer's size is estimated: some of it is the gateway's own work."""

FEW_PIECES = 3
"""Lists by name that are preferred to one of all jobs whose size is unknown."""

REQUEST_TIME = 0.3
"""Seconds that a request for jobs is assumed to take until one was measured: it costs the gateway two Slurm
commands."""

WINDOW = 3600.0
"""Seconds for which a list of all jobs has jobs that have ended: the shortest of the API's time windows."""

KNOWN_FOR = 300.0
"""Seconds for which the size of a list of all jobs is taken as known, since jobs leave its time window."""


class ListCost:
    """Estimated cost of lists, in seconds, from the last answers."""

    def __init__(self) -> None:
        self._request = REQUEST_TIME
        self._rows_per_name = 1.0
        self._rows = 0
        self._noted_at = -math.inf
        self._own: dict[str, float] = {}

    def note_own(self, ids: Iterable[str]) -> None:
        """Note jobs of this run: for an hour, each list of all jobs has them."""
        now = time.monotonic()
        for job_id in ids:
            self._own.setdefault(job_id, now)
        while self._own and (oldest := next(iter(self._own))) and self._own[oldest] < now - WINDOW:
            del self._own[oldest]

    def note_by_name(self, seconds: float, rows: int, names: int) -> None:
        """Note the time of a list by name, and the numbers of its entries and names."""
        self._request += (max(seconds - rows * ROW / RATE, 0.0) - self._request) / 2
        self._rows_per_name += (rows / names - self._rows_per_name) / 2

    def note_all(self, rows: int) -> None:
        """Note the number of entries in a list of all jobs."""
        self._rows, self._noted_at = rows, time.monotonic()

    def prefers_names(self, pieces: int, names: int) -> bool:
        """Return true if lists by name are cheaper than one of all jobs.

        Args:
            pieces: number of lists by name.
            names: number of names in them.
        """
        if pieces == 1:
            return True
        known = time.monotonic() - self._noted_at <= KNOWN_FOR
        rows = max(self._rows if known else 0, len(self._own))
        cheaper = (pieces - 1) * self._request < (rows - names * self._rows_per_name) * ROW / RATE
        return cheaper or (not known and pieces <= FEW_PIECES)
