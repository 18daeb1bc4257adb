"""What FirecREST v1's earlier answers told of jobs, since no single answer tells everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED, PENDING

REASONS_EVERY = 30.0
"""Seconds between two questions why a job is pending."""

LIMIT_AFTER = 60.0
"""Seconds that a job has to run until it is asked for how long it may."""


@dataclass
class _Remembered:
    name: str = ""
    reason: str | None = None
    limit: float | None = None
    asked: float | None = None


class JobCache:
    """Adds to the accounting's answers what the queue told, and says when the queue is to be asked again."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Remembered] = {}

    def is_the_same(self, part: JobPart) -> bool:
        """Tell whether a job is still the one that had its id at first: a controller may forget jobs."""
        remembered = self._jobs.setdefault(part.base_id, _Remembered())
        remembered.name = remembered.name or part.name
        return part.name in ("", remembered.name)

    def added_to(self, part: JobPart) -> JobPart:
        """Return a part with what it does not tell itself."""
        remembered = self._jobs.get(part.base_id, _Remembered())
        return replace(
            part,
            reason=part.reason or (remembered.reason if part.state in PENDING else None),
            limit=part.limit or remembered.limit,
        )

    def due(self, parts: Iterable[JobPart], now: float) -> list[str]:
        """Return the ids of jobs about which the queue is to be asked now, and note that it is.

        Args:
            parts: of jobs that `is_the_same` has seen.
            now: seconds of a monotonic clock.
        """
        wanted: dict[str, _Remembered] = {}
        for part in parts:
            remembered = self._jobs[part.base_id]
            if remembered.asked is None:
                # Most jobs start soon, and end soon.
                remembered.asked = now
            elif part.state in PENDING:
                if now - remembered.asked >= REASONS_EVERY:
                    wanted[part.base_id] = remembered
            elif part.state not in ENDED and part.elapsed >= LIMIT_AFTER and remembered.limit is None:
                wanted[part.base_id] = remembered
        for remembered in wanted.values():
            remembered.asked = now
        return list(wanted)

    def learn(self, queued: Iterable[JobPart]) -> None:
        """Take what the queue tells."""
        for part in queued:
            remembered = self._jobs.get(part.base_id, _Remembered())
            remembered.reason = part.reason
            remembered.limit = part.limit if part.state not in PENDING else None
