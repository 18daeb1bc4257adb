"""What becomes of the journals of runs that are cleaned up."""

from __future__ import annotations

from reframe_firecrest.cleaning.leftovers import Leftover, nothing_is_left
from reframe_firecrest.journal.events import Closed, Event, Removed
from reframe_firecrest.journal.liveness import Standing, now_of
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.journal.writing import add
from reframe_firecrest.session.phases import FINAL, Phase
from reframe_firecrest.session.removal import WHOLE

KEPT = 30 * 86_400.0
"""Seconds since its beginning for which a run of which nothing is left can be looked at."""


def note(leftover: Leftover) -> None:
    """Write into a run's journal what became of what it left, unless that could not be told.

    Raises:
        OSError: it can't be written.
    """
    story = leftover.story
    if story is None or not leftover.reached or leftover.unclear:
        return
    now = now_of(story)
    final = {phase.value for phase in FINAL}
    events: list[Event] = [
        job.model_copy(update={"time": now, "phase": Phase.CANCELLED.value, "state": "CANCELLED"})
        for job in story.jobs.values()
        if job.phase not in final and job.job_id not in leftover.left
    ]
    if leftover.removed:
        events.append(Removed(time=now, path=WHOLE))
    add(story.path, [*events, Closed(time=now, left=tuple(sorted(leftover.left)))])


def is_of_no_use(run: Run, *, keep: bool) -> bool:
    """Tell whether a run's journals may go: nothing is left of it on any system.

    Args:
        run: the run.
        keep: for some time it is kept all the same, for those who want to look at it.
    """
    return (
        run.standing is Standing.ENDED
        and all(nothing_is_left(story) for story in run.stories)
        and not (keep and run.age < KEPT)
    )


def forget(run: Run) -> None:
    """Delete a run's journals.

    Raises:
        OSError: one can't be deleted.
    """
    for story in run.stories:
        story.path.unlink(missing_ok=True)
