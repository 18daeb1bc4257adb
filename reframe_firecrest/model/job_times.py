"""Time that jobs spent in staging, queue, run and retrieval, and the summary of a session. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from reframe_firecrest.model.job import JobHandle, Phase
from reframe_firecrest.model.units import format_count, format_duration, format_size

SLOWEST = 3
"""Number of jobs that the summary names for each part."""

PARTS = ("staging", "queue", "run", "retrieval")
"""Parts of a job's time, in their order."""


@dataclass(frozen=True)
class JobTimes:
    """Time that one job spent in each part, in seconds.

    Attributes:
        name: the job's name.
        staging: from the submission by ReFrame until Slurm had the job.
        queue: until it ran. It includes the delay with which its end was noticed.
        run: run time that Slurm reports.
        retrieval: until its outputs were local.
    """

    name: str
    staging: float
    queue: float
    run: float
    retrieval: float


@dataclass(frozen=True)
class Span:
    """Time span of one part.

    Attributes:
        part: one of `PARTS`.
        begin: start, in seconds since the epoch.
        end: end, in seconds since the epoch.
    """

    part: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.end - self.begin


def time_spans(at: Mapping[Phase, float], elapsed: float, until: float) -> list[Span]:
    """Return the consecutive parts of a job's time.

    Args:
        at: start of each phase that the job has reached, in seconds since the epoch.
        elapsed: run time that Slurm reports, in seconds. The run is assumed to end when its end was noticed,
            since its start is not reported.
        until: end of the job, in seconds since the epoch; the current time if it has not ended.
    """
    submitted, retrieving = at.get(Phase.SUBMITTED), at.get(Phase.RETRIEVING)
    if submitted is None:
        return [Span("staging", at[Phase.QUEUED], until)]
    noticed = until if retrieving is None else retrieving
    run = noticed - min(elapsed, noticed - submitted)
    spans = [
        Span("staging", at[Phase.QUEUED], submitted),
        Span("queue", submitted, run),
        Span("run", run, noticed),
    ]
    return spans if retrieving is None else [*spans, Span("retrieval", retrieving, until)]


def job_times_of(handle: JobHandle) -> JobTimes | None:
    """Return the times of a job in phase DONE, None for any other."""
    at = handle.moments
    if Phase.DONE not in at:
        return None
    spans = time_spans(at, handle.state.elapsed, at[Phase.DONE])
    return JobTimes(handle.spec.name, *(span.seconds for span in spans))


def summary_line(system: str, jobs: int, seconds: float, counts: Mapping[str, int]) -> str:
    """Return the summary of a session in one line.

    Args:
        system: the system's name.
        jobs: number of jobs.
        seconds: duration of the session.
        counts: its traffic.
    """
    requests = counts.get("requests", 0)
    each = requests / max(jobs, 1)
    return (
        f"{system!r}: {format_count(jobs, 'job')} in {format_duration(round(seconds))}, "
        f"{format_count(requests, 'request')} ({each:.1f} a job), "
        f"{format_size(counts.get('bytes_sent', 0))} sent, "
        f"{format_size(counts.get('bytes_received', 0))} received"
    )


def breakdown(times: Sequence[JobTimes]) -> list[str]:
    """Return the median time of each part in one line, and a line for each part with its slowest jobs."""
    if not times:
        return []
    middle = ", ".join(f"{part} {median(getattr(job, part) for job in times):.1f} s" for part in PARTS)
    lines = [f"a job's time, median: {middle}"]
    for part in PARTS:
        slowest = sorted(times, key=lambda job: getattr(job, part), reverse=True)[:SLOWEST]
        named = ", ".join(f"{job.name} {getattr(job, part):.1f} s" for job in slowest)
        lines.append(f"slowest in {part}: {named}")
    return lines
