"""Objects that a session may have created on its system, as its journal proves. Pure functions."""

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
    """Report whether a journal proves that its session created nothing on the system.

    A session creates its directory first, and waits for that before it creates anything else.
    """
    created = session_log.prepared is not None and session_log.prepared.outcome != "refused"
    return session_log.opened.tells_creation and not created and submitted_nothing(session_log)


def submitted_nothing(session_log: SessionLog) -> bool:
    """Report whether a journal proves that its session never submitted a job."""
    return all(
        move.job_id is None and move.phase in _BEFORE_SUBMISSION
        for moves in session_log.moves.values()
        for move in moves
    )


def what_may_be_left(run: Run) -> str:
    """Describe what a run may have left on its systems, for its owner."""
    return "; ".join(_describe(session_log) for session_log in run.session_logs)


def _describe(session_log: SessionLog) -> str:
    system = f"on {session_log.opened.system!r} at {session_log.opened.url}"
    if created_nothing(session_log):
        return f"nothing {system}"
    job_ids = sorted(
        {job.job_id for job in session_log.jobs.values() if job.job_id and job.phase != Phase.DONE.value}
    )
    jobs = f", and jobs: {' '.join(job_ids)}" if job_ids else ""
    if not job_ids and not submitted_nothing(session_log):
        jobs = ", and jobs with unknown ids"
    return f"{session_log.opened.root} {system}{jobs}"
