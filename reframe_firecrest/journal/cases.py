"""Status of each test of a session, from its test cases and jobs. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reframe_firecrest.journal.events import CaseMoved
from reframe_firecrest.journal.job_status import JobStatus
from reframe_firecrest.model.case_state import FAILURES, CaseKey
from reframe_firecrest.model.job import Phase
from reframe_firecrest.model.slurm_states import PENDING

RESULTS: Mapping[str, str] = {
    "pass": "passed",
    "fail": "failed",
    "abort": "aborted",
    "xfail": "failed as expected",
    "xpass": "passed unexpectedly",
    "skip": "skipped",
    "fail_deps": "skipped",
}
"""Words for `RegressionTask.result` of ReFrame 4.10."""

NOT_STARTED, CHECKING = "not started", "checking"

_STATES: Mapping[str, str] = {
    Phase.QUEUED.value: "staging",
    Phase.STAGING.value: "staging",
    Phase.SUBMITTING.value: "staging",
}
"""States of a test by the phase of its job, where they differ from it."""

_FINAL = frozenset({Phase.DONE.value, Phase.FAILED.value, Phase.CANCELLED.value})

ORDER = ("retrieving", "running", "pending", "staging", CHECKING, NOT_STARTED)
"""States of tests that have not ended, in the order of the table; others follow."""


@dataclass(frozen=True)
class CaseStatus:
    """Status of a test. Its fields are those of ``status --json``.

    Attributes:
        name: display name of the test; the job's name if the test is unknown.
        where: system, partition and environment; empty if unknown.
        state: result of the test, or what it waits for.
        over: no change is expected.
        failed: it counts as failed.
        stage: stage of ReFrame's pipeline in which it failed.
        job: its last job; None if it has none yet.
    """

    name: str
    where: str
    state: str
    over: bool
    failed: bool
    stage: str
    job: JobStatus | None


def case_statuses(
    cases: Mapping[CaseKey, CaseMoved], jobs: Iterable[tuple[str, JobStatus]]
) -> list[CaseStatus]:
    """Return the tests of a session: running ones first, then failures, then the others.

    Args:
        cases: last event of each test case.
        jobs: all jobs with their stage directories, in the order of submission.
    """
    # The last job of a directory is the test's run, which follows its build.
    last = dict(jobs)
    found = [_of_case(case, last.pop(case.directory, None)) for case in cases.values()]
    found += [_of_job(job) for job in last.values()]
    return sorted(found, key=_rank)


def _rank(case: CaseStatus) -> tuple[int, int]:
    active = ORDER.index(case.state) if case.state in ORDER else len(ORDER)
    place = active if not case.over else len(ORDER) + 2 - case.failed
    return place, case.job.number if case.job else 0


def _of_case(case: CaseMoved, job: JobStatus | None) -> CaseStatus:
    if case.result:
        state = RESULTS.get(case.result, case.result)
    elif job is None:
        state = NOT_STARTED
    else:
        state = CHECKING if job.phase in _FINAL else _state_of(job)
    failed = case.result in FAILURES
    return CaseStatus(case.name, case.where, state, bool(case.result), failed, case.stage, job)


def _of_job(job: JobStatus) -> CaseStatus:
    over = job.phase in _FINAL
    failed = over and job.phase != Phase.DONE.value
    return CaseStatus(job.name, "", _state_of(job), over, failed, "", job)


def _state_of(job: JobStatus) -> str:
    if job.phase == Phase.SUBMITTED.value:
        states: Sequence[str] = (job.state or "PENDING").split(",")
        return "pending" if any(state in PENDING for state in states) else "running"
    return _STATES.get(job.phase, job.phase)
