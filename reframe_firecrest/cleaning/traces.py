"""What a session can have created on its system, as far as its journal proves. Pure functions."""

from __future__ import annotations

from reframe_firecrest.journal.reading import Story
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.session.phases import Phase

_BEFORE_SUBMISSION = {
    Phase.QUEUED.value,
    Phase.STAGING.value,
    Phase.FAILED.value,
    Phase.CANCELLED.value,
}


def created_nothing(story: Story) -> bool:
    """Tell whether a journal proves that its session created nothing on the system.

    Its directory is the first thing that a session creates, and all else waits for that.
    """
    made = story.prepared is not None and story.prepared.outcome != "refused"
    return story.opened.tells_creation and not made and submitted_nothing(story)


def submitted_nothing(story: Story) -> bool:
    """Tell whether a journal proves that no job was ever submitted."""
    return all(
        move.job_id is None and move.phase in _BEFORE_SUBMISSION
        for moves in story.moves.values()
        for move in moves
    )


def what_may_be_left(run: Run) -> str:
    """Write what a run may have left on its systems, for its owner."""
    return "; ".join(_of(story) for story in run.stories)


def _of(story: Story) -> str:
    where = f"on {story.opened.system!r} at {story.opened.url}"
    if created_nothing(story):
        return f"nothing {where}"
    jobs = sorted({job.job_id for job in story.jobs.values() if job.job_id and job.phase != Phase.DONE.value})
    told = f", and jobs: {' '.join(jobs)}" if jobs else ""
    if not jobs and not submitted_nothing(story):
        told = ", and jobs of unknown numbers"
    return f"{story.opened.root} {where}{told}"
