"""Render a report as one HTML file that needs no network.

The template engine escapes all data from the system, ReFrame's report and the journal. In addition, the
page's Content Security Policy (level 3) forbids loading anything, and any script but the page's own.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from reframe_firecrest._version import __version__
from reframe_firecrest.commands.report.history import FailureHistory
from reframe_firecrest.commands.report.model import Report
from reframe_firecrest.commands.report.performance import PerformanceValue
from reframe_firecrest.commands.report.sparkline import HEIGHT, WIDTH, sparkline_of
from reframe_firecrest.commands.report.time_axis import Axis, axis_of
from reframe_firecrest.commands.report.time_breakdown import STEPS
from reframe_firecrest.commands.report.verdicts import BAD, RESULTS, WHOLE, Test, Verdict
from reframe_firecrest.model.errors import one_line
from reframe_firecrest.model.job_times import PARTS, Span
from reframe_firecrest.model.units import format_duration, format_size

SIGNS = {
    Verdict.FAILED: "✗",
    Verdict.XPASSED: "✗",
    Verdict.ABORTED: "⊘",
    Verdict.UNFINISHED: "…",
    Verdict.ENDED: "•",
    Verdict.SKIPPED: "○",
    Verdict.XFAILED: "✓",
    Verdict.PASSED: "✓",
}
"""Signs of verdicts, which do not depend on colours."""

LEAST_SECONDS = 0.0995
"""Shorter times are written in milliseconds."""

LEAST_REACH = 0.05
"""Smallest deviation at the ends of a gauge, as a fraction of the reference."""

MARGIN = 1.15
"""Ratio of the range of a gauge to its largest value."""

OUTSIDE = "in ReFrame"
"""Time of a test outside its jobs."""

STACKED = ("run", "retrieval", "staging", "queue")
"""Parts of a job's time in the stacked chart, from bottom to top."""

CROWDED = 30
"""Smallest number of tests for which the page has a chart of all of them."""


def render(report: Report) -> str:
    """Return the page, as HTML."""
    axis = axis_of(report.begin, report.end)
    script, style = _part("page.js"), _part("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            axis=axis,
            areas=areas_of(report) if len(report.tests) >= CROWDED else None,
            parts=[*PARTS, *([WHOLE] if _outlined(report.tests) else [])],
            headline=headline_of(report),
            with_past=any(figure.past for figure in report.figures),
            style=style,
            script=script,
            script_digest=digest,
            version=__version__,
        )
    )


def headline_of(report: Report) -> str:
    """Summarise a run in one line."""
    total = len(report.tests)
    tests = f"{total} test{'s' if total != 1 else ''}"
    if not total:
        return "No tests"
    bad = sum(report.verdicts.get(verdict, 0) for verdict in BAD)
    unfinished = report.verdicts.get(Verdict.UNFINISHED, 0)
    if bad:
        return f"{bad} of {tests} failed" + (f", {unfinished} unfinished" if unfinished else "")
    if unfinished:
        return f"{unfinished} of {tests} unfinished"
    if Verdict.ENDED in report.verdicts:
        return f"{tests} ended, with unknown verdicts"
    skipped = report.verdicts.get(Verdict.SKIPPED, 0)
    return f"All {tests} passed" if not skipped else f"{total - skipped} of {tests} passed, {skipped} skipped"


def areas_of(report: Report) -> Sequence[tuple[str, str]]:
    """Return the stacked areas of the number of jobs over time: for each part, the points of an SVG polygon.

    Running jobs are at the bottom. The chart is `STEPS` wide and 100 high.
    """
    top = max((sum(report.crowd[part][step] for part in PARTS) for step in range(STEPS)), default=0.0)
    below = [0.0] * STEPS
    areas = []
    for part in STACKED:
        above = [low + more for low, more in zip(below, report.crowd[part], strict=True)]
        outline = [(step + 0.5, value) for step, value in enumerate(above)]
        outline += [(step + 0.5, value) for step, value in reversed(list(enumerate(below)))]
        areas.append((part, " ".join(f"{x:g},{100 - 100 * y / (top or 1):.1f}" for x, y in outline)))
        below = above
    return areas


def most_at_once(report: Report) -> int:
    """Return the largest number of jobs at the same time."""
    return round(max((sum(report.crowd[part][step] for part in PARTS) for step in range(STEPS)), default=0.0))


def _outlined(tests: Sequence[Test]) -> bool:
    return any(span.part == WHOLE for test in tests for span in test.spans)


@dataclass(frozen=True)
class Gauge:
    """Positions in the gauge of a deviation, in percent; the reference is in the middle.

    Attributes:
        left: start of the range that passes.
        width: width of the range.
        mark: position of the value.
    """

    left: float
    width: float
    mark: float


def gauge_of(figure: PerformanceValue) -> Gauge | None:
    """Return the gauge of a figure's deviation; None if there is no reference."""
    if figure.deviation is None or not figure.reference:
        return None
    size = abs(figure.reference)
    below = None if figure.lower is None else (figure.lower - figure.reference) / size
    above = None if figure.upper is None else (figure.upper - figure.reference) / size
    reach = MARGIN * max(abs(value) for value in (figure.deviation, below or 0, above or 0, LEAST_REACH))
    left, right = (50 + 50 * value / reach for value in (below or -reach, above or reach))
    return Gauge(round(left, 2), round(right - left, 2), round(50 + 50 * figure.deviation / reach, 2))


def failing_since(history: FailureHistory) -> str:
    """Describe in words since when a test has been failing."""
    if history.sessions == 1:
        return f"this run; it last passed on {_clock(history.passed or 0.0)}"
    since = f"{_clock(history.since)}, in {history.sessions} consecutive runs"
    if history.passed is None:
        return f"{since}; it has not passed since the history began"
    return f"{since}; it last passed on {_clock(history.passed)}"


def bar(span: Span, axis: Axis) -> str:
    """Return the position of a part of a test's time as a CSS style, wide enough to be visible."""
    left = axis.place(span.begin)
    return f"left:{left:.2f}%;width:{max(axis.place(span.end) - left, 0.05):.2f}%"


def describe(test: Test) -> str:
    """Describe the parts of a test's time in words; those of several jobs are added.

    The time that no job has taken is ReFrame's: setup, checks, and waiting for its next poll.
    """
    seconds: dict[str, float] = {}
    for span in test.spans:
        seconds[span.part] = seconds.get(span.part, 0.0) + span.seconds
    if test.seconds is not None and seconds:
        rest = test.seconds - sum(seconds.values())
        seconds |= {OUTSIDE: rest} if rest >= LEAST_SECONDS else {}
    return ", ".join(f"{part} {_seconds(value)}" for part, value in seconds.items())


def _seconds(value: float) -> str:
    return format_duration(value) if value >= LEAST_SECONDS else f"{1000 * value:.0f} ms"


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(moment))


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def _percent(part: float | None) -> str:
    return "" if part is None else f"{100 * part:+.1f} %"


def _limits(figure: PerformanceValue) -> str:
    lower, upper = figure.lower, figure.upper
    if lower is not None and upper is not None:
        return f"{_number(lower)} to {_number(upper)}"
    if lower is not None:
        return f"≥ {_number(lower)}"
    return "" if upper is None else f"≤ {_number(upper)}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reframe_firecrest.commands.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        as_verdict=lambda result: RESULTS.get(result, Verdict.ENDED),
        bar=bar,
        clock=_clock,
        gauge=gauge_of,
        iso=_iso,
        limits=_limits,
        number=_number,
        one_line=one_line,
        percent=_percent,
        seconds=_seconds,
        sign=SIGNS.__getitem__,
        slug=lambda verdict: verdict.name.lower(),
        describe=describe,
        failing_since=failing_since,
        sparkline=lambda figure: sparkline_of(figure.past, one_line(figure.unit)),
        units=format_size,
    )
    environment.globals.update(
        most_at_once=most_at_once,
        steps=STEPS,
        whole=WHOLE,
        spark=(WIDTH, HEIGHT),
    )
    return environment


def _part(name: str) -> str:
    return (
        files("reframe_firecrest.commands.report")
        .joinpath("template")
        .joinpath(name)
        .read_text(encoding="utf-8")
    )
