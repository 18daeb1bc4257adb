"""A job that is followed: what was asked and learnt about it so far."""

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

MISSES = 2
"""Lists in a row that a job must be missing from before it is asked for singly."""

Shown = frozenset[tuple[str, str]]
"""Ids and states of a job's parts, as an answer showed them."""


@dataclass(eq=False)
class Followed:
    """A job that is followed.

    Attributes:
        job_id: Slurm's id.
        name: its name, if it is known.
        directory: its working directory, if no other job has that at the same time.
        notify: called with what is learnt.
        shape: the parts that it must have.
        ended: its parts once it has ended, or why it is not followed any more.
        seen: seconds since the epoch at which it was last seen.
        since: when it came into its state.
        looked: when it was last looked at.
        asked: when it was last asked for singly.
        question: for it alone; it may still be under way.
        unclear: since when no list has settled how it stands.
        failing: since when questions for it have failed.
        warned: users know that they fail.
        unknown: since when Slurm has not known it.
        missing: the parts that Slurm has not reported.
        lacking: since when it has not reported more of them.
        misses: lists in a row that it was missing from.
        unsettled: looks since it ended that did not show when.
        state: as it was last told.
        doubtful: it may have ended although the last list shows that it goes on.
        confirm: seconds after which what the last list showed is to be confirmed.
        limit: seconds until its time limit ends it.
        met: a part in its directory has been seen.
        task_ids: ids that its tasks have for themselves, as far as they are known.
        listed: what the last list showed.
        refuted: what a list showed when an answer for the job alone showed something else.
    """

    job_id: str
    name: str | None
    directory: str | None
    notify: Callable[[JobState], None]
    shape: JobShape
    ended: asyncio.Future[list[JobPart]]
    seen: float = field(default_factory=clock)
    since: float = field(default_factory=time.monotonic)
    looked: float = field(default_factory=time.monotonic)
    asked: float = -math.inf
    question: asyncio.Task[None] | None = None
    unclear: float | None = None
    failing: float | None = None
    warned: bool = False
    unknown: float | None = None
    missing: frozenset[int] = frozenset()
    lacking: float | None = None
    misses: int = 0
    unsettled: int = 0
    state: str | None = None
    doubtful: bool = False
    confirm: float = math.inf
    limit: float | None = None
    met: bool = False
    task_ids: set[str] = field(default_factory=set)
    listed: Shown = frozenset()
    refuted: Shown | None = None

    def due(self, shortest: float, longest: float) -> float:
        """Return when it is to be looked at again, by the monotonic clock."""
        if self.unsettled or 0 < self.misses < MISSES:
            return self.looked + shortest
        since, limit = (self.since, self.limit) if self.unclear is None else (self.unclear, None)
        step = poll_interval.next_interval(self.looked - since, limit, shortest, longest)
        return self.looked + min(step, max(self.confirm, shortest))

    @property
    def is_asked_for(self) -> bool:
        """Whether a question for it alone is under way."""
        return self.question is not None and not self.question.done()

    def may_ask(self, now: float, shortest: float, longest: float) -> bool:
        """Tell whether it may be asked for singly; the longer it is unclear, the longer are the pauses."""
        age = 0.0 if self.unclear is None or self.unsettled else now - self.unclear
        return not self.is_asked_for and now >= self.asked + poll_interval.next_interval(
            age, None, shortest, longest
        )

    @property
    def depends_on_answers(self) -> bool:
        """Whether only answers for it alone can show how it stands."""
        return self.unclear is not None or self.doubtful

    def is_to_be_confirmed(self) -> bool:
        """Tell whether it is time to confirm what lists show."""
        return time.monotonic() - max(self.asked, self.since) > self.confirm

    def clear(self, observation: Observation) -> None:
        """Note that a list settles how it stands, as far as lists can."""
        self.refuted = self.unclear = None
        self.doubtful, self.confirm = is_doubtful(observation), confirm_after(observation)
        if not self.doubtful:
            self.failing, self.warned = None, False

    def fails(self) -> float:
        """Note that a question for it failed; return the seconds since the first of those that have."""
        self.failing = self.asked if self.failing is None else self.failing
        return time.monotonic() - self.failing

    def answered(self) -> None:
        """Note that a question for it was answered."""
        if self.failing is not None:
            self.forgive(0.0)
            self.failing, self.warned = None, False

    def lacks(self, missing: frozenset[int]) -> float:
        """Note which parts Slurm has not reported; return the seconds since it last reported more of them."""
        if self.lacking is None or missing != self.missing:
            self.missing, self.lacking = missing, time.monotonic()
        return time.monotonic() - self.lacking

    def is_its(self, part: JobPart) -> bool:
        """Tell whether a part with its id is of this job: one that works elsewhere is another job's."""
        if part.working_directory in ("", self.directory):
            # For a moment, a job that is new or has just been cancelled has neither directory nor name.
            self.met = self.met or part.working_directory != ""
            return True
        # Should the system call directories by other names than we do, that shows at the first look.
        return not self.met and part.name == self.name

    def learn_tasks(self, parts: Iterable[JobPart]) -> None:
        """Note the ids that its tasks have for themselves; an answer for this job alone shows no others."""
        if self.shape.several:
            self.task_ids |= {part.job_id for part in parts if part.job_id.isdecimal()} - {self.job_id}

    def parts_in(self, mine: Sequence[JobPart]) -> list[JobPart]:
        """Return its parts, each once."""
        return parts_of(self.job_id, mine, self.task_ids)

    def is_whole(self, parts: Sequence[JobPart], observation: Observation) -> bool:
        """Tell whether a list in which all of its parts have ended shows every part there is."""
        if not self.shape.several:
            # What has parts all the same may have more of them.
            return not observation.several
        return observation.ended and any(part.job_id != part.base_id for part in parts)

    def forgive(self, seconds: float) -> None:
        """Count no outage against it, which has lasted for some seconds."""
        self.unknown = self.lacking = None
        if self.failing is not None:
            self.failing += seconds


def shown(parts: Iterable[JobPart]) -> Shown:
    """Return what tells one answer about a job from another."""
    return frozenset((part.job_id, part.state) for part in parts)
