"""What each job did when, from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reframe_firecrest.journal.events import JobMoved
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.model.job import FINAL, Phase
from reframe_firecrest.model.job_times import Span, time_spans

_PHASES = {phase.value: phase for phase in Phase}


@dataclass(frozen=True)
class JobTimeline:
    """A job.

    Attributes:
        name: the job's.
        directory: its stage directory here.
        system: the gateway's name of the system.
        phase: see `Phase`.
        before: the phase before that; the same if there was none.
        job_id: Slurm's id.
        state: Slurm's state.
        exit_code: the job's.
        nodes: in Slurm's notation.
        error: one line, if something other than the job itself failed.
        over: it is in a final phase.
        spans: where its time went.
    """

    name: str
    directory: str
    system: str
    phase: str
    before: str
    job_id: str | None
    state: str | None
    exit_code: int | None
    nodes: str
    error: str | None
    over: bool
    spans: Sequence[Span]

    @property
    def begin(self) -> float:
        """Seconds since the epoch."""
        return self.spans[0].begin

    @property
    def end(self) -> float:
        """The same; the last that is known of it if it is not over."""
        return self.spans[-1].end


def timelines_of(session_log: SessionLog, until: float) -> list[JobTimeline]:
    """Return the jobs of a session, in the order in which ReFrame handed them over.

    Args:
        session_log: what its journal tells.
        until: seconds since the epoch: now if it goes on, else when it was last heard of.
    """
    return [
        timeline_of(moves, session_log.opened.system, until) for _, moves in sorted(session_log.moves.items())
    ]


def timeline_of(moves: Sequence[JobMoved], system: str, until: float) -> JobTimeline:
    """Return what a job did.

    Args:
        moves: all that its journal tells of it.
        system: the gateway's name of the system.
        until: see `timelines_of`.
    """
    last = moves[-1]
    at: dict[Phase, float] = {Phase.QUEUED: moves[0].time}
    for move in moves:
        # A later version may know other phases.
        if move.phase in _PHASES:
            at.setdefault(_PHASES[move.phase], move.time)
    over = _PHASES.get(last.phase) in FINAL
    end = last.time if over else max(until, last.time)
    runs_still = last.state == "RUNNING" and last.phase == Phase.SUBMITTED.value
    elapsed = last.elapsed + (end - last.time if runs_still else 0.0)
    return JobTimeline(
        name=last.name,
        directory=last.directory,
        system=system,
        phase=last.phase,
        before=next((move.phase for move in reversed(moves) if move.phase != last.phase), last.phase),
        job_id=last.job_id,
        state=last.state,
        exit_code=last.exit_code,
        nodes=last.nodes,
        error=last.error,
        over=over,
        spans=time_spans(at, elapsed, end),
    )
