"""Finds out what a submission has left whose answer does not tell: FirecREST v1 lists no working directories.

What tells a job for certain is the path of its script, which no other run uses. The gateway knows that of
all jobs that go on (from Slurm's queue), and of those that it has itself submitted within a day (from its
tasks). A job that the gateway has missed, and that has ended before it was looked for, shows only in
Slurm's accounting, by its name.
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
"""Where the gateway cuts the paths that it reads from Slurm's answers."""

BEHIND = 18 * 3600.0
"""Seconds by which the system's clock may be behind ours: 12 h of time zone, and 6 h because one is wrong."""

UNREADABLE = (
    errors.OperationTimeoutError,
    errors.ProtocolError,
    errors.RejectedError,
    errors.TooLargeError,
)
"""Errors after which one source says nothing: a single job, whoever submitted it, can break a long answer."""

UNDER_WAY = 180.0
"""Seconds for which a submission may be under way in the gateway; older ones have lost their service."""


@dataclass(frozen=True)
class UnansweredSubmission:
    """A submission that was not answered.

    Attributes:
        script: its path.
        name: its job's name.
        since: when it was submitted, in seconds since the epoch.
        newest: the highest id that was known by then.
        others: ids of tasks that submit something else.
    """

    script: str
    name: str
    since: float
    newest: int = 0
    others: frozenset[str] = frozenset()


class _Shared(Generic[Result]):
    """A look that those share who have to wait for one: the next that begins is for all of them."""

    def __init__(self, look: Callable[[], Awaitable[Result]]) -> None:
        self._look = look
        self._looking = asyncio.Lock()
        self._seen: tuple[float, Result] | None = None

    async def get(self) -> Result:
        """Return what a look shows that began after this was called."""
        asked = time.monotonic()
        async with self._looking:
            if self._seen is None or self._seen[0] < asked:
                begun = time.monotonic()
                self._seen = begun, await self._look()
            return self._seen[1]


class SubmissionSearch:
    """Looks for jobs by their scripts.

    Args:
        compute: for Slurm's queue and accounting.
        tasks: what the gateway has done so far.
    """

    def __init__(self, compute: Compute, tasks: Tasks) -> None:
        self._compute = compute
        self._tasks = tasks
        self._queue = _Shared(compute.queries.queue)
        self._history: dict[str, _Shared[tuple[list[Accounted] | None, list[Task]]]] = {}

    async def find(self, script: str, name: str, since: float) -> list[str] | None:
        """Look for jobs of a script.

        Args:
            script: its path.
            name: the jobs' name.
            since: when it was submitted, in seconds since the epoch.

        Returns:
            the ids of those that come from it, None if there are some that may or may not.

        Raises:
            TransientError: it may still be under way in the gateway.
        """
        others = self._compute.tasks_of_others(script)
        lost = UnansweredSubmission(script, name, since, self._compute.newest_before(since), others)
        unreadable = False
        try:
            queue = await self._queue.get()
        except UNREADABLE:
            queue, unreadable = [], True
        # Most jobs are still there; what the gateway remembers can be megabytes.
        found = found_in(lost, [], queue, [])
        if found:
            return found
        date = days_before(since)
        if date not in self._history:
            self._history[date] = _Shared(partial(self._past, date))
        accounting, tasks = await self._history[date].get()
        found = found_in(lost, tasks, queue, accounting or [])
        if not found and (unreadable or accounting is None):
            # It may be in what can't be read.
            found = None
        if found is None and is_under_way(lost, tasks):
            raise errors.TransientError(f"the gateway may still be about to submit {script}")
        return found

    async def _past(self, date: str) -> tuple[list[Accounted] | None, list[Task]]:
        # Tasks last: what is in the accounting not yet must not be under way in the gateway either.
        accounting: list[Accounted] | None = None
        with suppress(*UNREADABLE):
            accounting = await self._compute.queries.accounting(since=date)
        return accounting, await self._tasks.all()


def days_before(moment: float) -> str:
    """Return a date from which on the accounting has what was submitted at a time.

    The system's time zone may differ by 14 h, and its clock by a day.
    """
    return (datetime.fromtimestamp(moment, timezone.utc) - timedelta(days=2)).strftime("%Y-%m-%d")


def found_in(
    lost: UnansweredSubmission,
    tasks: Sequence[Task],
    queue: Sequence[Queued],
    accounting: Sequence[Accounted],
) -> list[str] | None:
    """Tell which jobs come from a submission by what the gateway, the queue and the accounting say.

    Args:
        lost: the submission.
        tasks: all that the gateway remembers.
        queue: jobs that go on.
        accounting: jobs of the time in question.

    Returns:
        the ids of those that come from it, None if there are some that may or may not.
    """
    origins = {row.job_id: row.job_file for row in map(_submitted, tasks) if row and row.job_id}
    origins |= {_base(row.job_id): row.job_file for row in queue}
    # Cut like what it is compared with.
    cut = _BLANK.split(lost.script)[0]
    found = [job_id for job_id, origin in origins.items() if origin == cut]
    if found:
        return found
    if is_under_way(lost, tasks):
        # Its job, or that of another client, may be one of those of which nobody knows the script yet.
        return None
    # Of the same name, from a script that is not known, and not from before.
    perhaps = {
        _base(row.job_id)
        for row in accounting
        if (row.name == lost.name or row.is_stub)
        and _base(row.job_id) not in origins
        and _is_younger(row, lost)
    }
    return None if len(perhaps) > 1 else list(perhaps)


def is_under_way(lost: UnansweredSubmission, tasks: Sequence[Task]) -> bool:
    """Tell whether the gateway may still be about to carry out a submission.

    Args:
        lost: the submission.
        tasks: all that the gateway remembers.
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
    """Tell whether a submission is still under way; the data of its task is an address until it has ended."""
    if task.status not in ("100", "101") or not str(task.data).startswith("http"):
        return False
    # Questions are tasks too, so the newest is about as old as the answer; no clock is the gateway's own.
    newest = max((other.created for other in tasks if other.created is not None), default=None)
    return task.created is None or newest is None or newest - task.created < UNDER_WAY


def _base(job_id: str) -> str:
    return job_id.partition("_")[0].partition("+")[0]
