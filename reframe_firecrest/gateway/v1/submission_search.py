"""Search for the job of an unanswered submission: FirecREST v1 does not list working directories.

The path of its script identifies a job, since no other run uses it. The gateway knows the paths of active
jobs (from Slurm's queue), and of jobs that it has submitted within a day (from its tasks). A job that the
gateway has missed, and that ended before the search, is only in Slurm's accounting, with its name.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Generic, TypeVar

from reframe_firecrest.gateway.v1.compute import Compute
from reframe_firecrest.gateway.v1.job_schemas import Accounted, Queued, Submitted, parse_submitted
from reframe_firecrest.gateway.v1.schemas import Task
from reframe_firecrest.gateway.v1.tasks import Tasks
from reframe_firecrest.model import errors

Result = TypeVar("Result")

_BLANK = re.compile(r"[\s=]")
"""Characters at which the gateway truncates paths in Slurm's answers."""

BEHIND = 18 * 3600.0
"""Seconds that the system's clock may be behind ours: 12 h of time zone, and 6 h of error."""

UNREADABLE = (
    errors.OperationTimeoutError,
    errors.ProtocolError,
    errors.RejectedError,
    errors.TooLargeError,
)
"""Errors that make one source unusable: a single job, of any client, can make a long answer invalid."""

UNDER_WAY = 180.0
"""Seconds for which the gateway may process a submission; older ones have lost their service."""


@dataclass(frozen=True)
class UnansweredSubmission:
    """A submission that was not answered.

    Attributes:
        script: its path.
        name: its job's name.
        since: time of the submission, in seconds since the epoch.
        newest: highest job id that was known then.
        others: ids of tasks that submitted other scripts.
    """

    script: str
    name: str
    since: float
    newest: int = 0
    others: frozenset[str] = frozenset()


class _Shared(Generic[Result]):
    """A query whose result concurrent callers share."""

    def __init__(self, query: Callable[[], Awaitable[Result]]) -> None:
        self._query = query
        self._lock = asyncio.Lock()
        self._result: tuple[float, Result] | None = None

    async def get(self) -> Result:
        """Return the result of a query that began after this call."""
        asked = time.monotonic()
        async with self._lock:
            if self._result is None or self._result[0] < asked:
                begun = time.monotonic()
                self._result = begun, await self._query()
            return self._result[1]


class SubmissionSearch:
    """Search for jobs by their scripts.

    Args:
        compute: for Slurm's queue and accounting.
        tasks: of the gateway.
    """

    def __init__(self, compute: Compute, tasks: Tasks) -> None:
        self._compute = compute
        self._tasks = tasks
        self._queue = _Shared(compute.queries.queue)
        self._history: dict[str, _Shared[tuple[list[Accounted] | None, list[Task]]]] = {}

    async def find(self, script: str, name: str, since: float) -> list[str] | None:
        """Find the jobs of a script.

        Args:
            script: its path.
            name: the jobs' name.
            since: time of the submission, in seconds since the epoch.

        Returns:
            Their ids; None if it is unknown whether some jobs belong to it.

        Raises:
            TransientError: the gateway may still be processing the submission.
        """
        others = self._compute.tasks_of_others(script)
        lost = UnansweredSubmission(script, name, since, self._compute.newest_before(since), others)
        unreadable = False
        try:
            queue = await self._queue.get()
        except UNREADABLE:
            queue, unreadable = [], True
        # Most jobs are still in the queue; the gateway's tasks can be megabytes.
        found = found_in(lost, [], queue, [])
        if found:
            return found
        date = days_before(since)
        if date not in self._history:
            self._history[date] = _Shared(partial(self._past, date))
        accounting, tasks = await self._history[date].get()
        found = found_in(lost, tasks, queue, accounting or [])
        if not found and (unreadable or accounting is None):
            # The job may be in the source that cannot be read.
            found = None
        if found is None and is_under_way(lost, tasks):
            raise errors.TransientError(f"the gateway may still be about to submit {script}")
        return found

    async def _past(self, date: str) -> tuple[list[Accounted] | None, list[Task]]:
        # Tasks last, so that a job that is not in the accounting yet is found in the tasks.
        accounting: list[Accounted] | None = None
        with suppress(*UNREADABLE):
            accounting = await self._compute.queries.accounting(since=date)
        return accounting, await self._tasks.all()


def days_before(moment: float) -> str:
    """Return the date from which the accounting lists jobs submitted at a time.

    The system's time zone may differ by 14 h, and its clock by a day.
    """
    return (datetime.fromtimestamp(moment, timezone.utc) - timedelta(days=2)).strftime("%Y-%m-%d")


def found_in(
    lost: UnansweredSubmission,
    tasks: Sequence[Task],
    queue: Sequence[Queued],
    accounting: Sequence[Accounted],
) -> list[str] | None:
    """Return the jobs of a submission by the gateway's tasks, the queue and the accounting.

    Args:
        lost: the submission.
        tasks: all of the gateway.
        queue: active jobs.
        accounting: jobs of that time.

    Returns:
        Their ids; None if it is unknown whether some jobs belong to it.
    """
    origins = {row.job_id: row.job_file for row in map(_submitted, tasks) if row and row.job_id}
    origins |= {_base(row.job_id): row.job_file for row in queue}
    # Truncated like the paths that it is compared with.
    cut = _BLANK.split(lost.script)[0]
    found = [job_id for job_id, origin in origins.items() if origin == cut]
    if found:
        return found
    if is_under_way(lost, tasks):
        # Its job, or that of another client, may be one whose script is still unknown.
        return None
    # Jobs of the same name and an unknown script that are not older than the submission.
    perhaps = {
        _base(row.job_id)
        for row in accounting
        if (row.name == lost.name or row.is_stub)
        and _base(row.job_id) not in origins
        and _is_younger(row, lost)
    }
    return None if len(perhaps) > 1 else list(perhaps)


def is_under_way(lost: UnansweredSubmission, tasks: Sequence[Task]) -> bool:
    """Report whether the gateway may still be processing a submission.

    Args:
        lost: the submission.
        tasks: all of the gateway.
    """
    return any(_is_under_way(task, tasks) for task in tasks if task.task_id not in lost.others)


def _is_younger(row: Accounted, lost: UnansweredSubmission) -> bool:
    job_id = _base(row.job_id)
    return (
        job_id.isdecimal()
        and int(job_id) > lost.newest
        and (row.end is None or row.end + BEHIND >= lost.since)
    )


def _submitted(task: Task) -> Submitted | None:
    if not isinstance(task.data, dict) or "job_file" not in task.data:
        return None
    try:
        return parse_submitted(task.data)
    except ValueError:
        return None


def _is_under_way(task: Task, tasks: Sequence[Task]) -> bool:
    """Report whether a submission is being processed; the data of its task is a URL until it has ended."""
    if task.status not in ("100", "101") or not str(task.data).startswith("http"):
        return False
    # Queries are tasks too, so the newest shows the gateway's current time.
    newest = max((other.created for other in tasks if other.created is not None), default=None)
    return task.created is None or newest is None or newest - task.created < UNDER_WAY


def _base(job_id: str) -> str:
    return job_id.partition("_")[0].partition("+")[0]
