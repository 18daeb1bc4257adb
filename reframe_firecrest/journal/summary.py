"""Summary of a session from its journal. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median

from reframe_firecrest.journal.cases import CaseStatus, case_statuses
from reframe_firecrest.journal.job_status import JobStatus
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.journal.run_status import ALIVE, RunStatus
from reframe_firecrest.journal.timeline import JobTimeline, timelines_of
from reframe_firecrest.model.job import Phase

_ORDER = (
    Phase.RETRIEVING,
    Phase.SUBMITTED,
    Phase.SUBMITTING,
    Phase.STAGING,
    Phase.QUEUED,
    Phase.FAILED,
    Phase.CANCELLED,
    Phase.DONE,
)
_RANK: Mapping[str, int] = {phase.value: rank for rank, phase in enumerate(_ORDER)}


_FROM_JOURNAL = {field.name for field in fields(JobStatus)} - {"seconds", "waited"}


@dataclass(frozen=True)
class SessionSummary:
    """Summary of a session. Its fields are those of ``status --json``.

    Attributes:
        run: name of the run.
        system: name of the system in FirecREST.
        url: address of the gateway.
        directory: the run's directory on the system.
        standing: see `reframe_firecrest.journal.run_status.RunStatus`.
        begun: start time, in seconds since the epoch.
        until: the current time if the session is running, else its last known time.
        phases: number of jobs in each phase.
        states: number of submitted jobs in each of Slurm's states.
        waited: median and maximum of the seconds in Slurm's queue; None if no job was queued.
        jobs: all jobs, running ones first.
        tests: all tests, running ones first.
        requests: number of requests so far.
        bytes_sent: bytes sent so far, including HTTP's overhead.
        bytes_received: bytes received so far, likewise.
        files_sent: number of files sent.
        files_fetched: number of files retrieved.
        left: ids of jobs that may still be on the system although the session has ended.
        last_error: the latest error of any job, with the test's name.
        unavailable: seconds for which the gateway has served no request; 0 if it is not a long outage.
        killed: the session did not record its end, but a clean-up has.
    """

    run: str
    system: str
    url: str
    directory: str
    standing: str
    begun: float
    until: float
    phases: Mapping[str, int]
    states: Mapping[str, int]
    waited: tuple[float, float] | None
    jobs: Sequence[JobStatus]
    tests: Sequence[CaseStatus]
    requests: int
    bytes_sent: int
    bytes_received: int
    files_sent: int
    files_fetched: int
    left: Sequence[str]
    last_error: str | None
    unavailable: float
    killed: bool = False


def summarise_session(session_log: SessionLog, standing: RunStatus, now: float) -> SessionSummary:
    """Return the summary of a session.

    Args:
        session_log: the session's journal.
        standing: the session's status.
        now: the current time by the session's clock, see `reframe_firecrest.journal.run_status.now_of`.
    """
    until = now if standing in ALIVE else end_of(session_log)
    timelines = timelines_of(session_log, until)
    jobs = [_job_status(timeline, until) for timeline in timelines]
    directories = [timeline.last.directory for timeline in timelines]
    tests = case_statuses(session_log.cases, zip(directories, jobs, strict=True))
    jobs.sort(key=lambda job: (_RANK.get(job.phase, len(_RANK)), job.number))
    counts = Counter(job.phase for job in jobs)
    waits = [job.waited for job in jobs if job.waited is not None]
    failed = [job for job in session_log.jobs.values() if job.error]
    last = max(failed, key=lambda job: job.time, default=None)
    names = {case.directory: case.name for case in session_log.cases.values()}
    return SessionSummary(
        run=session_log.opened.run,
        system=session_log.opened.system,
        url=session_log.opened.url,
        directory=session_log.opened.root,
        standing=standing.value,
        begun=session_log.opened.time,
        until=until,
        phases={phase.value: counts[phase.value] for phase in Phase if counts[phase.value]},
        states=dict(Counter(job.state or "?" for job in jobs if job.phase == Phase.SUBMITTED.value)),
        waited=(median(waits), max(waits)) if waits else None,
        jobs=jobs,
        tests=tests,
        requests=session_log.traffic.requests if session_log.traffic else 0,
        bytes_sent=session_log.traffic.bytes_sent if session_log.traffic else 0,
        bytes_received=session_log.traffic.bytes_received if session_log.traffic else 0,
        files_sent=sum(batch.files for batch in session_log.transfers if batch.way == "sent"),
        files_fetched=sum(batch.files for batch in session_log.transfers if batch.way == "fetched"),
        left=session_log.closed.left if session_log.closed else (),
        last_error=f"{names.get(last.directory, last.name)}: {last.error}" if last else None,
        unavailable=_unavailable(session_log, until) if standing in ALIVE else 0.0,
        killed=session_log.killed,
    )


def end_of(session_log: SessionLog) -> float:
    """Return the time at which a session ended, or was last heard of, by its own clock."""
    return session_log.last if session_log.ended is None else session_log.ended


def _unavailable(session_log: SessionLog, until: float) -> float:
    """Return the seconds of an outage that goes on: a session records its beginning and its end."""
    traffic = session_log.traffic
    return until - traffic.time + traffic.unavailable if traffic and traffic.unavailable else 0.0


def _job_status(job: JobTimeline, until: float) -> JobStatus:
    known = job.last.model_dump(include=_FROM_JOURNAL)
    if job.last.phase != Phase.SUBMITTED.value:
        known["reason"] = None
    seconds = job.last.time - job.begin if job.over else until - job.since
    waited = next((span.seconds for span in job.spans if span.part == "queue"), None)
    return JobStatus(**known, seconds=max(seconds, 0.0), waited=waited)
