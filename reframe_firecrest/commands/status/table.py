"""How a session stands, as a table for a terminal."""

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
"""Of a session beside its jobs, at most."""


def render(overviews: Sequence[SessionSummary], height: int | None = None) -> RenderableType:
    """Return what a terminal shows of the sessions of a run.

    Args:
        overviews: the sessions.
        height: lines that the terminal has; jobs for which there is no room are counted only. None shows all.
    """
    room = None if height is None else max(height // len(overviews) - LINES, 1)
    return Group(*(part for overview in overviews for part in _session(overview, room)))


def _session(overview: SessionSummary, room: int | None) -> Iterable[RenderableType]:
    yield _line(f"run {overview.run} on {overview.system!r} at {overview.url}", style="bold")
    yield _line(_standing(overview))
    jobs = ", ".join(f"{count} {phase}{_states(overview, phase)}" for phase, count in overview.phases.items())
    yield _line(f"jobs: {jobs or 'none'}")
    yield _line(
        f"requests: {overview.requests}, {format_size(overview.bytes_sent)} sent, "
        f"{format_size(overview.bytes_received)} received; "
        f"files: {overview.files_sent} sent, {overview.files_fetched} fetched"
    )
    if overview.waited:
        yield _line("in the queue: {}, the median; {} at most".format(*map(format_duration, overview.waited)))
    if overview.last_error:
        yield _line(f"last error: {overview.last_error}", style="red")
    if overview.left:
        yield _line(f"may still be there: job {' '.join(overview.left)}", style="red")
    if overview.jobs:
        yield _table(overview.jobs[:room])
    if room is not None and len(overview.jobs) > room:
        yield _line(
            f"and {len(overview.jobs) - room} more: reframe-firecrest status {overview.run}", style="dim"
        )


def _line(text: str, style: str = "") -> Text:
    return Text(one_line(text), style=style)


def _standing(overview: SessionSummary) -> str:
    lasted = format_duration(overview.until - overview.begun)
    if overview.standing == RunStatus.GOES_ON.value:
        return f"goes on, since {_clock(overview.begun)} ({lasted})"
    if overview.standing == RunStatus.UNKNOWN.value:
        return (
            f"could not determine whether it is running; began at {_clock(overview.begun)} ({lasted}); "
            f"if it is dead: reframe-firecrest clean {overview.run} --force"
        )
    if overview.standing == RunStatus.ENDED.value:
        return f"ended at {_clock(overview.until)}, after {lasted}"
    return (
        f"killed; last heard of at {_clock(overview.until)}, after {lasted}; "
        f"remove what it left with: reframe-firecrest clean {overview.run}"
    )


def _states(overview: SessionSummary, phase: str) -> str:
    if phase != Phase.SUBMITTED.value:
        return ""
    return f" ({', '.join(f'{count} {state}' for state, count in overview.states.items())})"


def _table(jobs: Iterable[JobStatus]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("test", "phase", "job", "state", "nodes"):
        table.add_column(name, overflow="fold")
    table.add_column("queue", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for job in jobs:
        texts = (job.name, job.phase, job.job_id or "", _state(job), job.nodes)
        waited = "" if job.waited is None else format_duration(job.waited)
        why = job.error or job.reason or ""
        table.add_row(
            *(Text(one_line(text)) for text in (*texts, waited, format_duration(job.seconds), why)),
            style=_STYLES.get(job.phase, ""),
        )
    return table


def _state(job: JobStatus) -> str:
    state = job.state or ""
    return f"{state} ({job.exit_code})" if job.exit_code and job.phase == Phase.DONE.value else state


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
