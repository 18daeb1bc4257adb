"""The phases of a job, what may follow what, and what ReFrame's thread gets to see."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job_shape import SINGLE, JobShape
from reframe_firecrest.model.selection import EVERYTHING, Selection


class Phase(str, Enum):
    """Where a job is on its way; see docs/architecture.md."""

    QUEUED = "queued"
    STAGING = "staging"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    RETRIEVING = "retrieving"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Phase.DONE, Phase.FAILED, Phase.CANCELLED})

_NEXT: Mapping[Phase, tuple[Phase, ...]] = {
    Phase.QUEUED: (Phase.STAGING,),
    Phase.STAGING: (Phase.SUBMITTING,),
    Phase.SUBMITTING: (Phase.SUBMITTED,),
    Phase.SUBMITTED: (Phase.RETRIEVING,),
    # What the job has left may show that it is another job that runs the script.
    Phase.RETRIEVING: (Phase.DONE, Phase.SUBMITTED),
}


def may_follow(before: Phase, after: Phase) -> bool:
    """Tell whether a job may go from one phase to another."""
    if before in FINAL:
        return False
    return after in (*_NEXT[before], Phase.FAILED, Phase.CANCELLED)


@dataclass(frozen=True)
class JobSpec:
    """What ReFrame's thread hands over: plain data, read while that thread could still vouch for it.

    Attributes:
        name: the job's name, as in ``--job-name``.
        directory: the stage directory, absolute.
        script: the script's name in it.
        outputs: names of the files for standard output and error.
        account: account to charge.
        selection: what is brought back of what the job makes.
        resubmit_on: regular expressions; a refusal that one of them matches is only for now.
        cpus_per_task: what the launcher's ``srun`` asks for where it could not know Slurm's version.
        shape: the parts that the job must have.
        numbered: each task of an array has outputs of its own, whose names end in its index.
    """

    name: str
    directory: str
    script: str
    outputs: tuple[str, ...]
    account: str | None = None
    selection: Selection = EVERYTHING
    resubmit_on: tuple[str, ...] = ()
    cpus_per_task: int | None = None
    shape: JobShape = SINGLE
    numbered: bool = False


@dataclass(frozen=True)
class JobView:
    """What is known of a job; immutable, so that another thread may read it at any time.

    Attributes:
        phase: see `Phase`.
        job_id: Slurm's id, once there is one.
        state: Slurm's state.
        exit_code: the job's.
        nodes: its nodes in Slurm's notation.
        completed: seconds since the epoch at which Slurm saw it end.
        reason: why Slurm keeps it pending.
        elapsed: seconds for which it has run, as Slurm counts them.
        error: one line, if something other than the job itself failed.
    """

    phase: Phase = Phase.QUEUED
    job_id: str | None = None
    state: str | None = None
    exit_code: int | None = None
    nodes: str = ""
    completed: float | None = None
    reason: str | None = None
    elapsed: float = 0.0
    error: str | None = None


_numbers = itertools.count(1)


@dataclass(eq=False)
class JobHandle:
    """One job, shared by ReFrame's thread and the loop.

    The loop moves it on and ReFrame's thread may cancel it, so changes of `view` are guarded; reading it
    is not, because a view never changes. `ended` is set in every final phase.

    Attributes:
        number: the job's identity in this process.
        submitted: when ReFrame handed it over, by `clock`.
        moments: when each phase began, by `clock`.
    """

    spec: JobSpec
    number: int = field(default_factory=lambda: next(_numbers))
    submitted: float = field(default_factory=clock)
    view: JobView = field(default_factory=JobView)
    moments: dict[Phase, float] = field(default_factory=lambda: {Phase.QUEUED: clock()})
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, phase: Phase, **news: Any) -> bool:
        """Move to a phase, if that may follow; tell whether it did."""
        with self._lock:
            return self._advance(phase, news)

    def cancel(self) -> JobView | None:
        """Cancel, if the job has not ended; return how it stood until then."""
        with self._lock:
            before = self.view
            return before if self._advance(Phase.CANCELLED, {"state": "CANCELLED"}) else None

    def learn(self, **news: Any) -> None:
        """Note what became known without a change of phase; nothing is noted in a final phase."""
        with self._lock:
            if self.view.phase not in FINAL:
                self.view = replace(self.view, **news)

    def _advance(self, phase: Phase, news: Mapping[str, Any]) -> bool:
        if not may_follow(self.view.phase, phase):
            return False
        self.view = replace(self.view, phase=phase, **news)
        self.moments[phase] = clock()
        if phase in FINAL:
            self.ended.set()
        return True
