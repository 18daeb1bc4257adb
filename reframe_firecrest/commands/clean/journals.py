"""What becomes of the journals of runs that are cleaned up."""

from __future__ import annotations

from reframe_firecrest.commands.clean.residue import RemoteResidue, is_clean
from reframe_firecrest.journal.events import Closed, Event, Removed
from reframe_firecrest.journal.run_status import RunStatus, now_of
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.journal.writer import add
from reframe_firecrest.model.job import FINAL, Phase
from reframe_firecrest.session.remote_cleanup import ENTIRE_RUN

KEPT = 30 * 86_400.0
"""Seconds since its beginning for which a run of which nothing is left can be looked at."""


def record_cleanup(residue: RemoteResidue) -> None:
    """Write into a run's journal what became of what it left, unless that could not be told.

    Raises:
        OSError: it can't be written.
    """
    session_log = residue.session_log
    if session_log is None or not residue.reached or residue.unclear:
        return
    now = now_of(session_log)
    final = {phase.value for phase in FINAL}
    events: list[Event] = [
        job.model_copy(update={"time": now, "phase": Phase.CANCELLED.value, "state": "CANCELLED"})
        for job in session_log.jobs.values()
        if job.phase not in final and job.job_id not in residue.left
    ]
    if residue.removed:
        events.append(Removed(time=now, path=ENTIRE_RUN))
    add(session_log.path, [*events, Closed(time=now, left=tuple(sorted(residue.left)))])


def is_expired(run: Run, *, keep: bool) -> bool:
    """Tell whether a run's journals may go: nothing is left of it on any system.

    Args:
        run: the run.
        keep: for some time it is kept all the same, for those who want to look at it.
    """
    return (
        run.standing is RunStatus.ENDED
        and all(is_clean(session_log) for session_log in run.session_logs)
        and not (keep and run.age < KEPT)
    )


def delete_journal(run: Run) -> None:
    """Delete a run's journals.

    Raises:
        OSError: one can't be deleted.
    """
    for session_log in run.session_logs:
        session_log.path.unlink(missing_ok=True)
