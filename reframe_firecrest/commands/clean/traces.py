"""What a session can have created on its system, as far as its journal proves. Pure functions."""

from __future__ import annotations

from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.model.job import Phase

_BEFORE_SUBMISSION = {
    Phase.QUEUED.value,
    Phase.STAGING.value,
    Phase.FAILED.value,
    Phase.CANCELLED.value,
}


def created_nothing(session_log: SessionLog) -> bool:
    """Tell whether a journal proves that its session created nothing on the system.

    Its directory is the first thing that a session creates, and all else waits for that.
    """
    made = session_log.prepared is not None and session_log.prepared.outcome != "refused"
    return session_log.opened.tells_creation and not made and submitted_nothing(session_log)


def submitted_nothing(session_log: SessionLog) -> bool:
    """Tell whether a journal proves that no job was ever submitted."""
    return all(
        move.job_id is None and move.phase in _BEFORE_SUBMISSION
        for moves in session_log.moves.values()
        for move in moves
    )


def what_may_be_left(run: Run) -> str:
    """Write what a run may have left on its systems, for its owner."""
    return "; ".join(_of(session_log) for session_log in run.session_logs)


def _of(session_log: SessionLog) -> str:
    where = f"on {session_log.opened.system!r} at {session_log.opened.url}"
    if created_nothing(session_log):
        return f"nothing {where}"
    jobs = sorted(
        {job.job_id for job in session_log.jobs.values() if job.job_id and job.phase != Phase.DONE.value}
    )
    told = f", and jobs: {' '.join(jobs)}" if jobs else ""
    if not jobs and not submitted_nothing(session_log):
        told = ", and jobs of unknown numbers"
    return f"{session_log.opened.root} {where}{told}"
