"""Where the time of a run went: what its summary says. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from reframe_firecrest.session.phases import Handle, Phase

SLOWEST = 3
"""Jobs that the summary names for each part of their time."""

PARTS = ("staging", "queue", "run", "retrieval")


@dataclass(frozen=True)
class Times:
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


def times_of(handle: Handle) -> Times | None:
    """Return where the time of a job went that is done, None for others."""
    at = handle.moments
    if Phase.DONE not in at:
        return None
    noticed = at[Phase.RETRIEVING] - at[Phase.SUBMITTED]
    run = min(handle.view.elapsed, noticed)
    return Times(
        name=handle.spec.name,
        staging=at[Phase.SUBMITTED] - at[Phase.QUEUED],
        queue=noticed - run,
        run=run,
        retrieval=at[Phase.DONE] - at[Phase.RETRIEVING],
    )


def in_units(size: float) -> str:
    """Write a number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def total(system: str, jobs: int, seconds: float, counts: Mapping[str, int]) -> str:
    """Say what a session cost, in one line."""
    requests = counts.get("requests", 0)
    each = requests / max(jobs, 1)
    return (
        f"{system!r}: {jobs} jobs in {seconds:.0f} s, {requests} requests ({each:.1f} a job), "
        f"{in_units(counts.get('bytes_sent', 0))} sent, {in_units(counts.get('bytes_received', 0))} received"
    )


def breakdown(times: Sequence[Times]) -> list[str]:
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
