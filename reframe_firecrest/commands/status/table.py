"""Table of a session for a terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, OverflowMethod, RenderableType
from rich.table import Table
from rich.text import Text

from reframe_firecrest.journal.cases import CHECKING, NOT_STARTED, ORDER, CaseStatus
from reframe_firecrest.journal.run_status import RunStatus
from reframe_firecrest.journal.summary import SessionSummary
from reframe_firecrest.model.errors import one_line
from reframe_firecrest.model.job import Phase
from reframe_firecrest.model.units import format_duration, format_size

_STYLES: Mapping[str, str] = {
    "passed": "green",
    "failed": "red",
    "passed unexpectedly": "red",
    "aborted": "yellow",
    Phase.CANCELLED.value: "yellow",
    "running": "cyan",
    "retrieving": "cyan",
    CHECKING: "cyan",
    "pending": "blue",
    NOT_STARTED: "dim",
}
"""Styles by the state of a test."""

WIDE = 100
"""Columns of a terminal from which the nodes and the time in the queue are shown."""

LINES = 10
"""Largest number of lines of a session, without its tests."""

WRAPPED = 3
"""Number of these lines that take two on a narrow terminal."""


def render(
    sessions: Sequence[SessionSummary], height: int | None = None, width: int | None = None
) -> RenderableType:
    """Return the output for the sessions of a run.

    Args:
        sessions: the sessions.
        height: lines of the terminal; tests beyond it are only counted, and long texts are cut. None shows
            everything.
        width: columns of the terminal; None for enough.
    """
    wide = width is None or width >= WIDE
    lines = LINES if wide else LINES + WRAPPED
    room = None if height is None else max(height // len(sessions) - lines, 1)
    return Group(*(part for session in sessions for part in _session(session, room, wide=wide)))


def _session(session: SessionSummary, room: int | None, *, wide: bool) -> Iterable[RenderableType]:
    yield _line(f"run {session.run} on {session.system!r} at {session.url}", style="bold")
    yield _line(_standing(session))
    yield _line(_counts(session.tests))
    yield from _traffic(session, wide=wide)
    if session.waited:
        yield _line("time in the queue: median {}, longest {}".format(*map(format_duration, session.waited)))
    if session.unavailable:
        yield _line(
            f"gateway unavailable for {format_duration(session.unavailable)}; states are not updated",
            style="red",
        )
    if session.last_error:
        yield _line(f"last error: {session.last_error}", style="red")
    if session.left:
        yield _line(f"may still be queued or running: job {' '.join(session.left)}", style="red")
    if session.tests:
        yield _table(session.tests[:room], wide=wide, cut=room is not None)
    if room is not None and len(session.tests) > room:
        yield _line(
            f"and {len(session.tests) - room} more: reframe-firecrest status {session.run}", style="dim"
        )


def _traffic(session: SessionSummary, *, wide: bool) -> Iterable[Text]:
    requests = (
        f"requests: {session.requests}, {format_size(session.bytes_sent)} sent, "
        f"{format_size(session.bytes_received)} received"
    )
    files = f"files: {session.files_sent} sent, {session.files_fetched} fetched"
    return [_line(f"{requests}; {files}")] if wide else [_line(requests), _line(files)]


def _counts(tests: Sequence[CaseStatus]) -> str:
    """Return how many tests have ended, how many of them failed, and what the others wait for."""
    if not tests:
        return "tests: none"
    ended = [test for test in tests if test.over]
    failed = sum(test.failed for test in ended)
    states = Counter(test.state for test in tests if not test.over)
    order = [*ORDER, *(state for state in states if state not in ORDER)]
    active = ", ".join(f"{states[state]} {state}" for state in order if states[state])
    head = f"tests: {len(ended)} of {len(tests)} done" + (f", {failed} failed" if failed else "")
    return f"{head}; {active}" if active else head


def _line(text: str, style: str = "") -> Text:
    return Text(one_line(text), style=style)


def _standing(session: SessionSummary) -> str:
    duration = format_duration(session.until - session.begun)
    if session.standing == RunStatus.GOES_ON.value:
        return f"running since {_clock(session.begun)} ({duration})"
    if session.standing == RunStatus.UNKNOWN.value:
        return (
            f"could not determine whether it is running; began at {_clock(session.begun)} ({duration}); "
            f"if it is dead: reframe-firecrest clean {session.run} --force"
        )
    if session.killed:
        cleaned = "" if session.left else "; cleaned up since"
        return f"killed; last sign of life at {_clock(session.until)}, after {duration}{cleaned}"
    if session.standing == RunStatus.ENDED.value:
        return f"ended at {_clock(session.until)}, after {duration}"
    return (
        f"killed; last sign of life at {_clock(session.until)}, after {duration}; "
        f"clean up with: reframe-firecrest clean {session.run}"
    )


def _table(tests: Iterable[CaseStatus], *, wide: bool, cut: bool) -> Table:
    long: OverflowMethod = "ellipsis" if cut else "fold"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("test", overflow=long, no_wrap=cut, min_width=16)
    table.add_column("state", no_wrap=True)
    table.add_column("job", overflow="fold", no_wrap=cut)
    if wide:
        table.add_column("nodes", overflow=long, no_wrap=cut)
        table.add_column("queue", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("reason", overflow=long, no_wrap=cut)
    for test in tests:
        texts = _row(test, wide=wide)
        table.add_row(*(Text(one_line(text)) for text in texts), style=_STYLES.get(test.state, ""))
    return table


def _row(test: CaseStatus, *, wide: bool) -> Sequence[str]:
    job = test.job
    if job is None:
        return (test.name, test.state, "", *(("", "") if wide else ()), "", _failed_in(test))
    waited = "" if job.waited is None else format_duration(job.waited)
    reason = job.error or job.reason or _failed_in(test)
    if not reason and job.exit_code:
        reason = f"{job.state or ''}, exit code {job.exit_code}".lstrip(", ")
    more = (job.nodes, waited) if wide else ()
    return (test.name, test.state, job.job_id or "", *more, format_duration(job.seconds), reason)


def _failed_in(test: CaseStatus) -> str:
    return f"failed in {test.stage}" if test.failed and test.stage else ""


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
