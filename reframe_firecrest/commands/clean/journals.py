"""Update and delete the journals of runs that are cleaned up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.commands.clean.model import CleanOptions, Outcome
from reframe_firecrest.commands.clean.residue import RemoteResidue, is_clean
from reframe_firecrest.commands.clean.traces import created_nothing, submitted_nothing, what_may_be_left
from reframe_firecrest.journal.events import Closed, Event, Removed
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.journal.run_status import RunStatus, now_of
from reframe_firecrest.journal.runs import Run, runs_in
from reframe_firecrest.journal.writer import add
from reframe_firecrest.model.errors import RunError
from reframe_firecrest.model.job import FINAL, Phase
from reframe_firecrest.session.remote_cleanup import ENTIRE_RUN

RETENTION = 30 * 86_400.0
"""Seconds for which the journal of a run that has left nothing is kept, from the beginning of the run."""


def record_cleanup(residue: RemoteResidue) -> None:
    """Write the result of a clean-up into the run's journal, if the result is known.

    Raises:
        OSError: the journal can't be written.
    """
    session_log = residue.session_log
    if session_log is None or not residue.reached or residue.jobs_unknown:
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
    killed_at = session_log.last if session_log.closed is None else None
    closed = Closed(time=now, left=tuple(sorted(residue.left)), killed_at=killed_at)
    add(session_log.path, [*events, closed])


def is_expired(run: Run, *, keep: bool) -> bool:
    """Report whether a run's journals may be deleted because it has left nothing on any system.

    Args:
        run: the run.
        keep: keep them for `RETENTION` all the same, for `status` and `report`.
    """
    return (
        run.standing is RunStatus.ENDED
        and all(is_clean(session_log) for session_log in run.session_logs)
        and not (keep and run.age < RETENTION)
    )


@dataclass(frozen=True)
class JournalDeletion:
    """Delete journals during one clean-up, and add the deleted ones to its outcome.

    Attributes:
        directory: directory of the journals.
        options: options of the clean-up.
        outcome: outcome of the clean-up.
    """

    directory: Path
    options: CleanOptions
    outcome: Outcome

    def delete_if_empty(self, run: Run) -> bool:
        """Delete the journals of a run that never created anything; return whether it is such a run."""
        if not all(created_nothing(session_log) for session_log in run.session_logs):
            return False
        if self._delete(run):
            self.outcome.empty.append(run.name)
        return True

    def drop(self, run: Run) -> None:
        """Delete the journals of a run that is not cleaned up."""
        if self._delete(run):
            self.outcome.dropped.append((run.name, what_may_be_left(run)))

    def may_drop(self, session_log: SessionLog, *, named: bool) -> bool:
        """Report whether a session's journal may be deleted although the session can't be cleaned up.

        Args:
            session_log: the journal.
            named: the user has named the run.
        """
        return self.options.forget and (named or submitted_nothing(session_log))

    def drop_unreachable(self, runs: Iterable[Run], *, named: bool) -> None:
        """Delete the journals of runs whose gateways can't be used, where `may_drop` allows it."""
        for run in runs:
            failed = [residue for residue in self._residues_of(run) if residue.problems]
            refused = any(name == run.name for name, _ in self.outcome.refused)
            if any(residue.reached for residue in failed) or not (failed or refused):
                continue
            if all(is_clean(log) or self.may_drop(log, named=named) for log in run.session_logs):
                self._withdraw_failures(run, failed)
                self.drop(run)

    def delete_expired(self, runs: Iterable[Run]) -> None:
        """Delete the journals of runs that have left nothing: of old runs, and of the given ones."""
        try:
            known = runs_in(self.directory)
        except RunError as error:
            self.outcome.refused.append((str(self.directory), str(error)))
            return
        names = {run.name for run in runs}
        late = {residue.run for residue in self.outcome.residues if residue.left or residue.problems}
        for run in known:
            expired = run.name not in late and is_expired(run, keep=run.name not in names)
            if expired and self._delete(run):
                self.outcome.forgotten.append(run.name)

    def _residues_of(self, run: Run) -> list[RemoteResidue]:
        return [residue for residue in self.outcome.residues if residue.run == run.name]

    def _withdraw_failures(self, run: Run, failed: Sequence[RemoteResidue]) -> None:
        outcome = self.outcome
        outcome.residues = [residue for residue in outcome.residues if residue not in failed]
        outcome.refused = [(name, reason) for name, reason in outcome.refused if name != run.name]

    def _delete(self, run: Run) -> bool:
        """Delete a run's journals, except in a dry run; return whether that succeeded."""
        if self.options.dry_run:
            return True
        try:
            for session_log in run.session_logs:
                session_log.path.unlink(missing_ok=True)
        except OSError as error:
            reason = f"its journal can't be deleted: {error.strerror or error}"
            self.outcome.refused.append((run.name, reason))
            return False
        return True
