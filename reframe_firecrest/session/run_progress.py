"""Progress of a run over all its sessions, in one line.

ReFrame's thread notes tests and jobs. Another thread may read the counts at any time, because the states of
jobs and tests are immutable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reframe_firecrest.model.case_state import FAILURES, CaseKey, CaseState
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.errors import one_line
from reframe_firecrest.model.job import FINAL, JobHandle, Phase
from reframe_firecrest.model.slurm_states import PENDING
from reframe_firecrest.model.units import format_duration

NOT_STARTED, STAGING, QUEUED, RUNNING, RETRIEVING, CHECKING = (
    *("not started", "staging", "pending", "running", "retrieving", "checking"),
)

_STATES = {
    Phase.QUEUED: STAGING,
    Phase.STAGING: STAGING,
    Phase.SUBMITTING: STAGING,
    Phase.RETRIEVING: RETRIEVING,
}

_ORDER = (QUEUED, RUNNING, RETRIEVING, STAGING, CHECKING, NOT_STARTED)


@dataclass(frozen=True)
class Progress:
    """Progress of a run at one moment.

    Attributes:
        states: number of tests in each state, without those that have a result.
        done: number of tests that have a result.
        failed: number of those that failed.
        reason: Slurm's reason for the oldest pending job; empty if there is none.
        waited: seconds for which the oldest pending job has been pending.
        seconds: seconds since the run started.
        unavailable: seconds for which a gateway has served no request; 0 if it is not a long outage.
    """

    states: Counter[str]
    done: int
    failed: int
    reason: str
    waited: float
    seconds: float
    unavailable: float = 0.0

    @property
    def total(self) -> int:
        """Number of tests."""
        return self.done + sum(self.states.values())

    @property
    def active(self) -> bool:
        """Some test has no result yet."""
        return self.done < self.total

    @property
    def key(self) -> tuple[object, ...]:
        """All that counts as a change: not the time."""
        outage = self.unavailable > 0
        return (tuple(sorted(self.states.items())), self.done, self.failed, self.reason, outage)

    def log_line(self) -> str:
        """Return the line for a log."""
        failed = f" ({self.failed} failed)" if self.failed else ""
        parts = [*self._waiting(self.reason), f"{self.done} done{failed}"]
        oldest = f"; {self._oldest()}" if self.states[QUEUED] else ""
        return f"{self._outage()}waiting: {', '.join(parts)}{oldest}"

    def live_line(self) -> str:
        """Return the line for a terminal: if it is too narrow, the end of the line is missing."""
        failed = f", {self.failed} failed" if self.failed else ""
        # During an outage the oldest job may have started.
        details = [self.reason, "" if self.unavailable else self._oldest()]
        waiting = ", ".join(self._waiting(", ".join(filter(None, details))))
        done = f"{self.done} of {self.total} done{failed}"
        return f"after {format_duration(self.seconds)}: {self._outage()}{done}; {waiting}"

    def _oldest(self) -> str:
        return f"oldest {format_duration(self.waited)}"

    def _outage(self) -> str:
        seconds = self.unavailable
        return f"gateway unavailable for {format_duration(seconds)}; " if seconds else ""

    def _waiting(self, details: str) -> Iterable[str]:
        """Return the number of tests in each state, with details about pending ones."""
        for state in _ORDER:
            if self.states[state]:
                more = f" ({details})" if state == QUEUED and details else ""
                yield f"{self.states[state]} {state}{more}"


class RunProgress:
    """Tests and jobs of a run."""

    def __init__(self) -> None:
        self._began = clock()
        self._cases: dict[CaseKey, CaseState] = {}
        self._handles: dict[str, JobHandle] = {}
        self._gateways: list[Callable[[], float]] = []

    def note_cases(self, cases: list[CaseState]) -> None:
        """Note the states of test cases."""
        self._cases.update((case.key, case) for case in cases)

    def note_job(self, handle: JobHandle) -> None:
        """Note a job; it replaces an earlier one of the same test."""
        self._handles[handle.spec.directory] = handle

    def note_gateway(self, unavailable: Callable[[], float]) -> None:
        """Note a gateway of the run.

        Args:
            unavailable: returns the seconds for which it has served no request; any thread may call it.
        """
        if unavailable not in self._gateways:
            self._gateways.append(unavailable)

    def now(self) -> Progress:
        """Return the progress at this moment."""
        # A copy: ReFrame's thread may add a test meanwhile.
        cases = [*self._cases.values()]
        open_cases = [case for case in cases if not case.result]
        handles = {case.key: self._handles.get(case.directory) for case in open_cases}
        queued = [handle for handle in handles.values() if handle and _state_of(handle) == QUEUED]
        oldest = min(queued, key=_queued_at, default=None)
        now = clock()
        return Progress(
            states=Counter(_state_of(handle) for handle in handles.values()),
            done=len(cases) - len(open_cases),
            failed=sum(case.result in FAILURES for case in cases),
            reason=one_line(oldest.state.reason or "") if oldest else "",
            waited=now - _queued_at(oldest) if oldest else 0.0,
            seconds=now - self._began,
            unavailable=max((seconds() for seconds in self._gateways), default=0.0),
        )


def _queued_at(handle: JobHandle) -> float:
    return handle.moments.get(Phase.SUBMITTED, handle.submitted)


def _state_of(handle: JobHandle | None) -> str:
    if handle is None:
        return NOT_STARTED
    state = handle.state
    if state.phase in FINAL:
        return CHECKING
    if state.phase is Phase.SUBMITTED:
        parts = (state.state or "PENDING").split(",")
        return QUEUED if any(part in PENDING for part in parts) else RUNNING
    return _STATES[state.phase]
