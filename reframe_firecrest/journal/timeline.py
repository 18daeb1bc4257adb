"""Timeline of each job, from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from reframe_firecrest.journal.events import JobMoved
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.model.job import FINAL, Phase
from reframe_firecrest.model.job_times import Span, time_spans

_PHASES = {phase.value: phase for phase in Phase}


@dataclass(frozen=True)
class JobTimeline:
    """Life of a job so far.

    Attributes:
        last: the job's last known state.
        before: the phase before the last one; the same if there was none.
        since: start of the last phase, or of the run if the job is running, by the session's clock.
        over: the last phase is final.
        spans: how the job spent its time.
        system: the system's name in FirecREST.
    """

    last: JobMoved
    before: str
    since: float
    over: bool
    spans: Sequence[Span]
    system: str

    @property
    def begin(self) -> float:
        """Time at which ReFrame submitted the job, by the session's clock."""
        return self.spans[0].begin

    @property
    def end(self) -> float:
        """Time at which the job ended, or its last known time, by the session's clock."""
        return self.spans[-1].end


def timelines_of(session_log: SessionLog, until: float) -> list[JobTimeline]:
    """Return the timelines of a session's jobs, in the order of submission.

    Args:
        session_log: the session's journal.
        until: the current time of a session that is running, or the last time of one that is not, by the
            session's clock.
    """
    return [
        timeline_of(moves, session_log.opened.system, until) for _, moves in sorted(session_log.moves.items())
    ]


def timeline_of(moves: Sequence[JobMoved], system: str, until: float) -> JobTimeline:
    """Return the timeline of a job.

    Args:
        moves: the job's lines in the journal.
        system: the system's name in FirecREST.
        until: see `timelines_of`.
    """
    last = moves[-1]
    at: dict[Phase, float] = {Phase.QUEUED: moves[0].time}
    for move in moves:
        # A later version may have other phases.
        if move.phase in _PHASES:
            at.setdefault(_PHASES[move.phase], move.time)
    over = _PHASES.get(last.phase) in FINAL
    end = last.time if over else max(until, last.time)
    runs_still = last.state == "RUNNING" and last.phase == Phase.SUBMITTED.value
    elapsed = last.elapsed + (end - last.time if runs_still else 0.0)
    *_, first = takewhile(lambda move: move.phase == last.phase, reversed(moves))
    return JobTimeline(
        last=last,
        before=next((move.phase for move in reversed(moves) if move.phase != last.phase), last.phase),
        since=max(first.time, end - elapsed) if runs_still else first.time,
        over=over,
        spans=time_spans(at, elapsed, end),
        system=system,
    )
