"""Where the time of jobs went, and how the summary of a run says so. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from reframe_firecrest.model.job import JobHandle, Phase
from reframe_firecrest.model.units import format_size

SLOWEST = 3
"""Jobs that the summary names for each part of their time."""

PARTS = ("staging", "queue", "run", "retrieval")


@dataclass(frozen=True)
class JobTimes:
    """Where the time of one job went, in seconds.

    Attributes:
        name: the job's.
        staging: from ReFrame's handing it over until Slurm had it.
        queue: until it ran, and until its end was noticed.
        run: as Slurm counts it.
        retrieval: until its outputs were local.
    """

    name: str
    staging: float
    queue: float
    run: float
    retrieval: float


@dataclass(frozen=True)
class Span:
    """A part of a job's life.

    Attributes:
        part: one of `PARTS`.
        begin: seconds since the epoch.
        end: the same.
    """

    part: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


def time_spans(at: Mapping[Phase, float], elapsed: float, until: float) -> list[Span]:
    """Tell where the time of a job went, or goes, one part after the other.

    Args:
        at: when each phase began, in seconds since the epoch; it has been queued at least.
        elapsed: seconds for which it has run, as Slurm counts them. They are put in front of the moment at
            which its end was noticed, since nothing tells when it began.
        until: when it came to its end; now, if it has not.
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
    """Return where the time of a job went that is done, None for others."""
    at = handle.moments
    if Phase.DONE not in at:
        return None
    spans = time_spans(at, handle.state.elapsed, at[Phase.DONE])
    return JobTimes(handle.spec.name, *(span.seconds for span in spans))


def summary_line(system: str, jobs: int, seconds: float, counts: Mapping[str, int]) -> str:
    """Say what a session cost, in one line."""
    requests = counts.get("requests", 0)
    each = requests / max(jobs, 1)
    return (
        f"{system!r}: {jobs} jobs in {seconds:.0f} s, {requests} requests ({each:.1f} a job), "
        f"{format_size(counts.get('bytes_sent', 0))} sent, "
        f"{format_size(counts.get('bytes_received', 0))} received"
    )


def breakdown(times: Sequence[JobTimes]) -> list[str]:
    """Say where the time of jobs went: one line for all, and one for each part with its slowest jobs."""
    if not times:
        return []
    middle = ", ".join(f"{part} {median(getattr(job, part) for job in times):.1f} s" for part in PARTS)
    lines = [f"a job's time, median: {middle}"]
    for part in PARTS:
        slowest = sorted(times, key=lambda job: getattr(job, part), reverse=True)[:SLOWEST]
        named = ", ".join(f"{job.name} {getattr(job, part):.1f} s" for job in slowest)
        lines.append(f"slowest in {part}: {named}")
    return lines
