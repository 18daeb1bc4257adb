"""Cache of FirecREST v1's earlier answers about jobs, since no single answer has all fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED, PENDING

REASONS_EVERY = 30.0
"""Seconds between two queries for the reason of a pending job."""

LIMIT_AFTER = 60.0
"""Seconds of run time after which a job's time limit is queried."""


@dataclass
class _CachedJob:
    name: str = ""
    reason: str | None = None
    limit: float | None = None
    queried: float | None = None


class JobCache:
    """Complete answers of the accounting with those of the queue, and schedule the queries of the queue."""

    def __init__(self) -> None:
        self._jobs: dict[str, _CachedJob] = {}

    def is_the_same(self, part: JobPart) -> bool:
        """Report whether an id still belongs to the same job: a controller may lose jobs and reuse ids."""
        cached = self._jobs.setdefault(part.base_id, _CachedJob())
        cached.name = cached.name or part.name
        return part.name in ("", cached.name)

    def added_to(self, part: JobPart) -> JobPart:
        """Return a part, completed from the cache."""
        cached = self._jobs.get(part.base_id, _CachedJob())
        return replace(
            part,
            reason=part.reason or (cached.reason if part.state in PENDING else None),
            limit=part.limit or cached.limit,
        )

    def due(self, parts: Iterable[JobPart], now: float) -> list[str]:
        """Return the ids of the jobs to query in the queue now, and note the time.

        Args:
            parts: of jobs that were passed to `is_the_same`.
            now: seconds of a monotonic clock.
        """
        due: dict[str, _CachedJob] = {}
        for part in parts:
            cached = self._jobs[part.base_id]
            if cached.queried is None:
                # Most jobs start and end soon, so the first query waits.
                cached.queried = now
            elif part.state in PENDING:
                if now - cached.queried >= REASONS_EVERY:
                    due[part.base_id] = cached
            elif part.state not in ENDED and part.elapsed >= LIMIT_AFTER and cached.limit is None:
                due[part.base_id] = cached
        for cached in due.values():
            cached.queried = now
        return list(due)

    def learn(self, queued: Iterable[JobPart]) -> None:
        """Store the answer of the queue."""
        for part in queued:
            cached = self._jobs.get(part.base_id, _CachedJob())
            cached.reason = part.reason
            cached.limit = part.limit if part.state not in PENDING else None
