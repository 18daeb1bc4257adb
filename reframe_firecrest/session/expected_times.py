"""Expected time from the submission of a job to its end, from jobs that have ended in this session."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median

from reframe_firecrest.model.slurm_job import JobPart

REMEMBERED = 15
"""Number of jobs that count; the oldest are forgotten, since queues grow and shrink."""


class ExpectedTimes:
    """Times of the jobs that ended last, as Slurm reports them."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=REMEMBERED)

    def note(self, parts: Iterable[JobPart]) -> None:
        """Note a job that has ended."""
        found = [
            part.end - part.submitted for part in parts if part.end is not None and part.submitted is not None
        ]
        if found:
            self._times.append(max(found))

    def get(self) -> float | None:
        """Return the expected seconds; None if no job has ended yet."""
        return median(self._times) if self._times else None
