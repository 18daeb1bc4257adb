"""Reasons why a run is not cleaned up: it is, or may be, running."""

from __future__ import annotations

import time

from reframe_firecrest.journal.run_status import ALIVE, RunStatus, silence_of
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.model.units import format_duration


def reason_to_skip(run: Run) -> str | None:
    """Return why a run is skipped when all runs are cleaned up; None if it is known to be over."""
    standing = run.standing
    if standing not in ALIVE:
        return None
    if standing is RunStatus.GOES_ON:
        return f"it is still running ({_process(run)})"
    return f"could not determine whether it is running ({_process(run)}); {_remedy(run)}"


def reason_to_refuse(run: Run, *, force: bool) -> str | None:
    """Return why a run that the user has named must not be cleaned up; None if it may be.

    Args:
        run: the run.
        force: it may be cleaned up even if it is not known whether it is running.
    """
    standing = run.standing
    if standing not in ALIVE or (force and standing is RunStatus.UNKNOWN):
        return None
    if standing is RunStatus.GOES_ON:
        return f"run {run.name} is still running ({_process(run)}); stop it first"
    return f"could not determine whether run {run.name} is running ({_process(run)}); {_remedy(run)}"


def _process(run: Run) -> str:
    opened = run.session_logs[0].opened
    last = time.localtime(max(session_log.last for session_log in run.session_logs))
    return (
        f"process {opened.pid} on {opened.host}, last sign of life at {time.strftime('%Y-%m-%d %H:%M', last)}"
    )


def _remedy(run: Run) -> str:
    silences = [silence_of(session_log) for session_log in run.session_logs]
    known = [silence for silence in silences if silence is not None]
    limit = max(session_log.opened.dead_after for session_log in run.session_logs)
    silent = f"silent for {format_duration(min(known))}, " if known else ""
    return (
        f"{silent}it counts as dead after {format_duration(limit)} (FIRECREST_HEARTBEAT_TIMEOUT); "
        f"if it is dead: reframe-firecrest clean {run.name} --force"
    )
