"""Jobs: their specification, their phases, and the state that threads share."""

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
    """Phase of a job in this plugin; see docs/architecture.md."""

    QUEUED = "queued"
    STAGING = "staging"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    RETRIEVING = "retrieving"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Phase.DONE, Phase.FAILED, Phase.CANCELLED})
"""Phases that no other follows."""

_NEXT: Mapping[Phase, tuple[Phase, ...]] = {
    Phase.QUEUED: (Phase.STAGING,),
    Phase.STAGING: (Phase.SUBMITTING,),
    Phase.SUBMITTING: (Phase.SUBMITTED,),
    Phase.SUBMITTED: (Phase.RETRIEVING,),
    # The job's results may show that another job runs its script.
    Phase.RETRIEVING: (Phase.DONE, Phase.SUBMITTED),
}


def may_follow(before: Phase, after: Phase) -> bool:
    """Return true if a job may change from one phase to another."""
    if before in FINAL:
        return False
    return after in (*_NEXT[before], Phase.FAILED, Phase.CANCELLED)


@dataclass(frozen=True)
class JobSpec:
    """A job as ReFrame submits it.

    It is plain data, copied on ReFrame's thread, because ReFrame may change its own objects later.

    Attributes:
        name: the job's name, as in ``--job-name``.
        directory: absolute path of the stage directory.
        script: name of the script in it.
        outputs: names of the files for standard output and error.
        account: account to charge.
        selection: results to retrieve.
        resubmit_on: regular expressions; a submission whose error one of them matches is repeated.
        cpus_per_task: value of this option in the launcher's ``srun`` lines, if they were written before
            Slurm's version was known.
        shape: the expected parts of the job.
        numbered: each task of an array has its own outputs, whose names end in its index.
        transfer_account: account for the gateway's transfer jobs; None if neither the settings nor the script
            name one.
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
    transfer_account: str | None = None


@dataclass(frozen=True)
class JobState:
    """State of a job; immutable, so that another thread may read it at any time.

    This is the one model of a job: the watcher fills it, and the job of ReFrame and the journal are derived
    from it.

    Attributes:
        phase: the job's phase in this plugin.
        job_id: Slurm's id, once the job is submitted.
        state: Slurm's state; for a job of several parts, their states joined by commas, like ReFrame's
            `slurm` backend does.
        exit_code: the highest exit code of its parts; None until all of them have ended.
        nodes: the nodes of all its parts, in Slurm's notation.
        started: time at which its first part started, as Slurm reports it, in seconds since the epoch.
        completed: time at which its last part ended, as Slurm reports it, in seconds since the epoch.
        reason: Slurm's reason for keeping it pending.
        elapsed: run time that Slurm reports, in seconds; of several parts, the longest.
        error: one line, if something other than the job itself failed.
    """

    phase: Phase = Phase.QUEUED
    job_id: str | None = None
    state: str | None = None
    exit_code: int | None = None
    nodes: str = ""
    started: float | None = None
    completed: float | None = None
    reason: str | None = None
    elapsed: float = 0.0
    error: str | None = None


_numbers = itertools.count(1)


@dataclass(eq=False)
class JobHandle:
    """A job, shared by ReFrame's thread and the event loop.

    The loop advances the job and ReFrame's thread may cancel it, so assignments to `state` are protected by a
    lock. Reading needs none, because a `JobState` never changes.

    Attributes:
        spec: the job as ReFrame submitted it.
        number: the job's identity in this process.
        submitted: time at which ReFrame submitted it, by `clock`.
        state: its current state.
        moments: start of each phase, by `clock`.
        ended: set in every final phase.
    """

    spec: JobSpec
    number: int = field(default_factory=lambda: next(_numbers))
    submitted: float = field(default_factory=clock)
    state: JobState = field(default_factory=JobState)
    moments: dict[Phase, float] = field(default_factory=lambda: {Phase.QUEUED: clock()})
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, phase: Phase, **changes: Any) -> bool:
        """Move to another phase; return false if it may not follow the current one.

        Args:
            phase: the new phase.
            changes: other fields of the state that change with it.
        """
        with self._lock:
            return self._advance(phase, changes)

    def cancel(self) -> JobState | None:
        """Cancel the job unless it has ended; return the state that it had until then."""
        with self._lock:
            before = self.state
            return before if self._advance(Phase.CANCELLED, {"state": "CANCELLED"}) else None

    def learn(self, observed: JobState) -> bool:
        """Take what Slurm reports, unless the phase is final; return true if Slurm's state or reason changed.

        Args:
            observed: Slurm's report. The phase, the id and the error are not Slurm's and stay as they are.
        """
        with self._lock:
            before = self.state
            if before.phase in FINAL:
                return False
            self.state = replace(observed, phase=before.phase, job_id=before.job_id, error=before.error)
            return (self.state.state, self.state.reason) != (before.state, before.reason)

    def follow_instead(self, job_id: str) -> bool:
        """Follow another job of Slurm that runs the same script; return false if this one has ended.

        Args:
            job_id: the other job's id.
        """
        unknown = {
            "exit_code": None,
            "nodes": "",
            "started": None,
            "completed": None,
            "reason": None,
            "elapsed": 0.0,
        }
        return self.advance(Phase.SUBMITTED, job_id=job_id, state="PENDING", **unknown)

    def _advance(self, phase: Phase, changes: Mapping[str, Any]) -> bool:
        if not may_follow(self.state.phase, phase):
            return False
        self.state = replace(self.state, phase=phase, **changes)
        self.moments[phase] = clock()
        if phase in FINAL:
            self.ended.set()
        return True
