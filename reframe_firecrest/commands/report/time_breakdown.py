"""Where the time of a run went, and how many jobs were where at a time. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.journal.timeline import JobTimeline
from reframe_firecrest.model.job_times import PARTS

SLOWEST = 3
"""Jobs that are named for each part."""

BUILD = "rfm_build_"
"""What the names of jobs that build begin with (``RegressionTest.compile`` of ReFrame 4.10)."""

STEPS = 200
"""Of the picture of a whole run."""


@dataclass(frozen=True)
class TimeShare:
    """A part of the jobs' time.

    Attributes:
        part: one of `PARTS`, or a stage of ReFrame's own.
        count: how many jobs, or tests, it is of.
        total: seconds of all together.
        median: seconds.
        most: seconds that nine in ten stayed below.
        longest: seconds.
        slowest: names and seconds, the slowest first.
    """

    part: str
    count: int
    total: float
    median: float
    most: float
    longest: float
    slowest: Sequence[tuple[str, float]]


def time_breakdown(timelines: Iterable[JobTimeline], names: Mapping[str, str]) -> list[TimeShare]:
    """Tell where the time of jobs went.

    Args:
        timelines: the jobs.
        names: of their tests, by stage directory.
    """
    times: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for timeline in timelines:
        name = names.get(timeline.last.directory, timeline.last.name) + (
            " (build)" if timeline.last.name.startswith(BUILD) else ""
        )
        for span in timeline.spans:
            times[span.part].append((name, span.seconds))
    return [_spending(part, times[part]) for part in PARTS if times[part]]


def reframe_time_breakdown(results: ReframeReport | None) -> list[TimeShare]:
    """Tell how long ReFrame itself worked for its tests, one after the other, while all others waited."""
    times: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for one in results.runs if results else ():
        for case in one.testcases:
            stages = {
                "setup": case.time_setup,
                "sanity": case.time_sanity,
                "performance": case.time_performance,
            }
            for stage, seconds in stages.items():
                if seconds is not None:
                    times[stage].append((case.title, seconds))
    return [_spending(stage, entries) for stage, entries in times.items()]


def _spending(part: str, entries: Sequence[tuple[str, float]]) -> TimeShare:
    seconds = [entry[1] for entry in entries]
    return TimeShare(
        part=part,
        count=len(seconds),
        total=sum(seconds),
        median=median(seconds),
        most=quantiles(seconds, n=10, method="inclusive")[-1] if len(seconds) > 1 else seconds[0],
        longest=max(seconds),
        slowest=[entry for entry in sorted(entries, key=lambda entry: -entry[1])[:SLOWEST] if entry[1] > 0],
    )


def concurrency_over_time(
    timelines: Iterable[JobTimeline], begin: float, end: float
) -> Mapping[str, Sequence[float]]:
    """Return how many jobs were in each part of their lives: means of `STEPS` steps."""
    width = (end - begin) / STEPS
    found = {part: [0.0] * STEPS for part in PARTS}
    if width <= 0:
        return found
    for timeline in timelines:
        for span in timeline.spans:
            first = max(int((span.begin - begin) / width), 0)
            last = min(int((span.end - begin) / width), STEPS - 1)
            for step in range(first, last + 1):
                left = begin + step * width
                overlap = min(span.end, left + width) - max(span.begin, left)
                found[span.part][step] += max(overlap, 0.0) / width
    return found
