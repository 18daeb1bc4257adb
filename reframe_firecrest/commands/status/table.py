"""Table of a session for a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reframe_firecrest.journal.run_status import RunStatus
from reframe_firecrest.journal.summary import JobStatus, SessionSummary
from reframe_firecrest.model.errors import one_line
from reframe_firecrest.model.job import Phase
from reframe_firecrest.model.units import format_duration, format_size

_STYLES: Mapping[str, str] = {
    Phase.DONE.value: "green",
    Phase.FAILED.value: "red",
    Phase.CANCELLED.value: "yellow",
    Phase.SUBMITTED.value: "cyan",
    Phase.RETRIEVING.value: "cyan",
}


LINES = 9
"""Largest number of lines of a session, without its jobs."""


def render(sessions: Sequence[SessionSummary], height: int | None = None) -> RenderableType:
    """Return the output for the sessions of a run.

    Args:
        sessions: the sessions.
        height: lines of the terminal; jobs beyond it are only counted. None shows all jobs.
    """
    room = None if height is None else max(height // len(sessions) - LINES, 1)
    return Group(*(part for session in sessions for part in _session(session, room)))


def _session(session: SessionSummary, room: int | None) -> Iterable[RenderableType]:
    yield _line(f"run {session.run} on {session.system!r} at {session.url}", style="bold")
    yield _line(_standing(session))
    jobs = ", ".join(f"{count} {phase}{_states(session, phase)}" for phase, count in session.phases.items())
    yield _line(f"jobs: {jobs or 'none'}")
    yield _line(
        f"requests: {session.requests}, {format_size(session.bytes_sent)} sent, "
        f"{format_size(session.bytes_received)} received; "
        f"files: {session.files_sent} sent, {session.files_fetched} fetched"
    )
    if session.waited:
        yield _line("time in the queue: median {}, longest {}".format(*map(format_duration, session.waited)))
    if session.last_error:
        yield _line(f"last error: {session.last_error}", style="red")
    if session.left:
        yield _line(f"may still be queued or running: job {' '.join(session.left)}", style="red")
    if session.jobs:
        yield _table(session.jobs[:room])
    if room is not None and len(session.jobs) > room:
        yield _line(
            f"and {len(session.jobs) - room} more: reframe-firecrest status {session.run}", style="dim"
        )


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
    if session.standing == RunStatus.ENDED.value:
        return f"ended at {_clock(session.until)}, after {duration}"
    return (
        f"killed; last sign of life at {_clock(session.until)}, after {duration}; "
        f"clean up with: reframe-firecrest clean {session.run}"
    )


def _states(session: SessionSummary, phase: str) -> str:
    if phase != Phase.SUBMITTED.value:
        return ""
    return f" ({', '.join(f'{count} {state}' for state, count in session.states.items())})"


def _table(jobs: Iterable[JobStatus]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("test", "phase", "job", "state", "nodes"):
        table.add_column(name, overflow="fold")
    table.add_column("queue", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for job in jobs:
        texts = (job.name, job.phase, job.job_id or "", _state(job), job.nodes)
        waited = "" if job.waited is None else format_duration(job.waited)
        reason = job.error or job.reason or ""
        table.add_row(
            *(Text(one_line(text)) for text in (*texts, waited, format_duration(job.seconds), reason)),
            style=_STYLES.get(job.phase, ""),
        )
    return table


def _state(job: JobStatus) -> str:
    state = job.state or ""
    return f"{state} ({job.exit_code})" if job.exit_code and job.phase == Phase.DONE.value else state


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
