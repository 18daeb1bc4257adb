"""A job that the watcher follows: what has been asked and learnt about it so far."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job import JobState
from reframe_firecrest.model.job_shape import JobShape
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import Observation, parts_of
from reframe_firecrest.session import poll_interval
from reframe_firecrest.session.list_doubts import confirm_after, is_doubtful

MAX_MISSES = 2
"""Consecutive lists without a job after which it is queried singly."""

MISSED_INTERVALS = 12.0
"""Multiple of the shortest interval for which a job must have been missing. One that has just ended is so for
about a second, and for up to five if it ran so briefly that the accounting has not received its start."""

MISNAMED_INTERVALS = 20.0
"""Multiple of the shortest interval after which a job that exists is missing because its name differs."""

Summary = frozenset[tuple[str, str]]
"""Ids and states of a job's parts in one answer."""


@dataclass(frozen=True)
class FollowedId:
    """Identity of a followed job.

    Attributes:
        job_id: Slurm's id.
        name: the job's name; None if it is unknown.
        directory: its working directory; None if it is unknown, or not the job's alone.
        shape: the expected parts.
    """

    job_id: str
    name: str | None
    directory: str | None
    shape: JobShape


@dataclass(eq=False)
class FollowedJob:
    """A job that is followed. Times are those of the monotonic clock in seconds, unless noted otherwise.

    Attributes:
        identity: id, name, directory and expected parts.
        notify: called with each new state.
        ended: result: the job's parts, or the error for which it is no longer followed.
        expected: seconds from its submission after which it is expected to have ended; None if unknown.
        followed_since: time at which it was submitted.
        seen_at: time at which it was last seen, in seconds since the epoch.
        state_since: time at which it entered its state.
        checked_at: time of the last check, by a list or singly.
        queried_at: time of the last single query.
        query: the last single query; it may be in progress.
        unclear_since: time since when no list has settled its state.
        failing_since: time since when single queries have failed.
        warned: users have been warned of it.
        unknown_since: time since when Slurm has not known the job.
        missing: expected parts that Slurm has not reported.
        missing_since: time since when it has not reported more of them.
        misses: consecutive lists without the job.
        missed_since: time of the first of them.
        unsettled: checks since its end that lacked the time of its end.
        state: the last state that was reported.
        doubtful: it may have ended although the last list shows it as active.
        confirm_after: seconds after which the last list has to be confirmed by a single query.
        remaining: seconds until its time limit, as of the last answer.
        met: a part in its directory has been seen.
        task_ids: raw ids of its tasks, as far as they are known.
        listed: its parts in the last list.
        refuted: its parts in a list that a single query has refuted.
    """

    identity: FollowedId
    notify: Callable[[JobState], None]
    ended: asyncio.Future[list[JobPart]]
    expected: float | None = None
    followed_since: float = field(default_factory=time.monotonic)
    seen_at: float = field(default_factory=clock)
    state_since: float = field(default_factory=time.monotonic)
    checked_at: float = field(default_factory=time.monotonic)
    queried_at: float = -math.inf
    query: asyncio.Task[None] | None = None
    unclear_since: float | None = None
    failing_since: float | None = None
    warned: bool = False
    unknown_since: float | None = None
    missing: frozenset[int] = frozenset()
    missing_since: float | None = None
    misses: int = 0
    missed_since: float = math.inf
    unsettled: int = 0
    state: str | None = None
    doubtful: bool = False
    confirm_after: float = math.inf
    remaining: float | None = None
    met: bool = False
    task_ids: set[str] = field(default_factory=set)
    listed: Summary = frozenset()
    refuted: Summary | None = None

    @property
    def job_id(self) -> str:
        """Slurm's id."""
        return self.identity.job_id

    @property
    def shape(self) -> JobShape:
        """The expected parts."""
        return self.identity.shape

    # --- when to check ------------------------------------------------------------------------------

    def due(self, shortest: float, longest: float) -> float:
        """Return the time of the next check.

        Args:
            shortest: shortest interval between checks, in seconds.
            longest: longest interval, in seconds.
        """
        if self.unsettled or (self.misses and self.unclear_since is None):
            return self.checked_at + shortest
        if self.state is None and self.unclear_since is None:
            return self.checked_at + poll_interval.first_interval(self.expected, shortest, longest)
        since, remaining = self.state_since, self.remaining
        if self.unclear_since is not None:
            since, remaining = self.unclear_since, None
        step = poll_interval.next_interval(self.checked_at - since, remaining, shortest, longest)
        return self.checked_at + min(step, max(self.confirm_after, shortest))

    def is_due_soon(self, now: float, shortest: float, longest: float) -> bool:
        """Return true if a check of other jobs may include this one.

        A job whose end was never expected yet is not checked much earlier: it would have to be checked again.

        Args:
            now: current time.
            shortest: shortest interval between checks, in seconds.
            longest: longest interval, in seconds.
        """
        due = self.due(shortest, longest)
        interval = shortest if self.state is None else due - self.checked_at
        return due - now <= poll_interval.SOON * interval

    @property
    def was_checked(self) -> bool:
        """True after its first check, by a list or singly."""
        return self.state is not None or self.misses > 0 or self.queried_at > -math.inf

    @property
    def is_queried(self) -> bool:
        """True while a single query is in progress."""
        return self.query is not None and not self.query.done()

    def may_query(self, now: float, shortest: float, longest: float) -> bool:
        """Return true if a single query is due; the intervals grow while the job is unclear."""
        unclear = self.unclear_since is not None and not self.unsettled
        age = now - self.unclear_since if unclear and self.unclear_since is not None else 0.0
        interval = poll_interval.next_interval(age, None, shortest, longest)
        return not self.is_queried and now >= self.queried_at + interval

    @property
    def depends_on_queries(self) -> bool:
        """True if only single queries can show the job's state."""
        return self.unclear_since is not None or self.doubtful

    def needs_confirmation(self) -> bool:
        """Return true if a single query has to confirm what lists show."""
        return time.monotonic() - max(self.queried_at, self.state_since) > self.confirm_after

    # --- what was learnt ----------------------------------------------------------------------------

    def settle(self, observation: Observation) -> None:
        """Note that a list shows the job's state, as far as lists can."""
        self.refuted = self.unclear_since = None
        self.doubtful, self.confirm_after = is_doubtful(observation), confirm_after(observation)
        if not self.doubtful:
            self.failing_since, self.warned = None, False

    def query_failed(self) -> float:
        """Note that a single query failed; return the seconds since the first failed one."""
        self.failing_since = self.queried_at if self.failing_since is None else self.failing_since
        return time.monotonic() - self.failing_since

    def query_answered(self) -> None:
        """Note that a single query was answered."""
        if self.failing_since is not None:
            self.forgive(0.0)
            self.failing_since, self.warned = None, False

    def missed(self, shortest: float) -> bool:
        """Note that a list lacks the job; return true if it has to be queried singly.

        Args:
            shortest: shortest interval between checks of a few jobs, in seconds.
        """
        if not self.misses:
            self.missed_since = time.monotonic()
        self.misses += 1
        return self.misses >= MAX_MISSES and self.is_missing_for(MISSED_INTERVALS * shortest)

    def is_missing_for(self, seconds: float) -> bool:
        """Return true if lists have lacked the job for some seconds."""
        return self.misses > 0 and time.monotonic() - self.missed_since >= seconds

    def note_missing(self, missing: frozenset[int]) -> float:
        """Note which parts Slurm has not reported; return the seconds since it last reported more of them."""
        if self.missing_since is None or missing != self.missing:
            self.missing, self.missing_since = missing, time.monotonic()
        return time.monotonic() - self.missing_since

    def forgive(self, outage: float) -> None:
        """Discount an outage, in which Slurm could not report the job.

        Args:
            outage: its duration in seconds.
        """
        self.unknown_since = self.missing_since = None
        if self.failing_since is not None:
            self.failing_since += outage

    # --- its parts ----------------------------------------------------------------------------------

    def owns(self, part: JobPart) -> bool:
        """Return true if a part with this job's id belongs to it; Slurm may give the id to another job."""
        if part.working_directory in ("", self.identity.directory):
            # A job that is new or was just cancelled has neither directory nor name for a moment.
            self.met = self.met or part.working_directory != ""
            return True
        # Until a part was met, the system may use another name for the same directory.
        return not self.met and part.name == self.identity.name

    def learn_tasks(self, parts: Iterable[JobPart]) -> None:
        """Note the raw ids of its tasks. An answer for this job alone has no ids of other jobs."""
        if self.shape.several:
            self.task_ids |= {part.job_id for part in parts if part.job_id.isdecimal()} - {self.job_id}

    def parts_in(self, listed: Sequence[JobPart]) -> list[JobPart]:
        """Return its parts, each once."""
        return parts_of(self.job_id, listed, self.task_ids)

    def shows_all_parts(self, parts: Sequence[JobPart], observation: Observation) -> bool:
        """Return true if a list of ended parts has all parts of the job."""
        if not self.shape.several:
            # A job that has parts unexpectedly may have more of them.
            return not observation.several
        return observation.ended and any(part.job_id != part.base_id for part in parts)


def summary_of(parts: Iterable[JobPart]) -> Summary:
    """Return what distinguishes one answer about a job from another."""
    return frozenset((part.job_id, part.state) for part in parts)
