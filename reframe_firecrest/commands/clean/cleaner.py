"""What `reframe-firecrest clean` does: choose runs, clean them up, keep their journals in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.commands.clean import journals, run_status
from reframe_firecrest.commands.clean.cleanup import clean_up
from reframe_firecrest.commands.clean.remote_runs import RemoteRun, list_remote_runs
from reframe_firecrest.commands.clean.residue import (
    RemoteResidue,
    is_clean,
    is_elsewhere,
    residue_of,
    root_of,
)
from reframe_firecrest.commands.clean.result import Outcome
from reframe_firecrest.commands.clean.traces import created_nothing, submitted_nothing, what_may_be_left
from reframe_firecrest.journal.reader import SessionLog
from reframe_firecrest.journal.runs import Run, pick, runs_in
from reframe_firecrest.model.errors import RunError, SettingsError
from reframe_firecrest.session.registry import connect
from reframe_firecrest.session.session import Connect
from reframe_firecrest.settings import Settings, read_settings


@dataclass
class Cleaner:
    """Cleans up what runs left.

    Attributes:
        directory: where the journals are.
        environment: the environment variables, for what is not in a journal.
        dry_run: change nothing, neither there nor here.
        forget: delete the journals of runs of which nothing is left, and of those that can't be cleaned up:
            of a run that is named, and of runs that never submitted a job.
        offline: ask no gateway; only delete journals.
        force: clean up a run of which it is not known whether it is alive.
        connect: makes the connection to a gateway.
    """

    directory: Path
    environment: Mapping[str, str]
    dry_run: bool = False
    forget: bool = False
    offline: bool = False
    force: bool = False
    connect: Connect = connect

    def named(self, name: str) -> Outcome:
        """Clean up one run.

        Args:
            name: its name, or a beginning that no other has.

        Raises:
            RunError: there is no such run, or it may be alive.
            SettingsError: something is missing or wrong.
        """
        run = pick(runs_in(self.directory, name), name, self.directory)
        alive = run_status.sign_of_life(run, force=self.force)
        if alive is not None:
            raise RunError(alive)
        outcome = Outcome()
        if not self._delete_empty(outcome, run):
            outcome.refused += self._choose(run, outcome, named=True)
        return self._clean(outcome, [run], named=True)

    def over(self, older_than: float = 0.0) -> Outcome:
        """Clean up all runs that are over.

        Args:
            older_than: seconds that must have passed since a run began.

        Raises:
            RunError: a journal can't be read.
            SettingsError: something is missing or wrong.
        """
        outcome = Outcome()
        chosen = []
        for run in runs_in(self.directory):
            if run.age < older_than:
                continue
            alive = run_status.reason_to_skip(run)
            if alive is not None:
                outcome.skipped.append((run.name, alive))
            elif not self._delete_empty(outcome, run):
                chosen.append(run)
                outcome.skipped += self._choose(run, outcome)
        return self._clean(outcome, chosen)

    def remote(self, older_than: float) -> Outcome:
        """Clean up all runs that have a directory or jobs on the system, whether they are known here or not.

        Args:
            older_than: seconds that must have passed since a run began.

        Raises:
            RunError: a journal can't be read.
            SettingsError: something is missing or wrong.
            GatewayError: the gateway does not tell which there are.
        """
        settings = read_settings([], self.environment)
        known = {run.name: run for run in runs_in(self.directory)}
        outcome = Outcome()
        for found in list_remote_runs(settings, self.connect):
            if not found.is_older_than(older_than):
                continue
            run = known.get(found.name)
            recent = found.recent_job(older_than)
            alive = run_status.reason_to_skip(run) if run is not None else None
            if run is None and recent is not None:
                alive = f"its job {recent} was submitted more recently than that"
            if alive is not None:
                outcome.skipped.append((found.name, alive))
            else:
                outcome.residues.append(self._found(found, run, settings))
        chosen = [known[one.run] for one in outcome.residues if one.run in known]
        return self._clean(outcome, chosen)

    def _found(self, found: RemoteRun, run: Run | None, settings: Settings) -> RemoteResidue:
        residue = RemoteResidue(found.name, root_of(settings, found.name), settings)
        for session_log in run.session_logs if run else ():
            here = (session_log.opened.url, session_log.opened.system) == (str(settings.url), settings.system)
            if here and session_log.opened.root == residue.root:
                residue = residue_of(session_log, self.environment)
        residue.known |= found.job_ids
        # It has been seen there.
        residue.finished = False
        return residue

    def _choose(self, run: Run, outcome: Outcome, *, named: bool = False) -> list[tuple[str, str]]:
        """Add what a run may have left to an outcome; return what is another gateway's."""
        if self.offline:
            self._drop(outcome, run)
            return []
        elsewhere = []
        for session_log in run.session_logs:
            if created_nothing(session_log):
                continue
            if is_elsewhere(session_log, self.environment):
                if not is_clean(session_log):
                    why = f"it was at {session_log.opened.url}, and FIRECREST_URL is another gateway"
                    elsewhere.append((run.name, why))
                continue
            try:
                outcome.residues.append(residue_of(session_log, self.environment))
            except SettingsError as error:
                if not is_clean(session_log):
                    if not self._may_drop(session_log, named=named):
                        raise
                    outcome.refused.append((run.name, str(error)))
            except RunError as error:
                if not is_clean(session_log):
                    outcome.refused.append((run.name, str(error)))
        return elsewhere

    def _clean(self, outcome: Outcome, chosen: Sequence[Run], *, named: bool = False) -> Outcome:
        if outcome.residues:
            clean_up(outcome.residues, dry_run=self.dry_run, connect=self.connect)
        # A gateway that shows no late job has nothing of a run of which nothing was left.
        outcome.residues = [residue for residue in outcome.residues if not residue.is_void]
        if not self.dry_run:
            for residue in outcome.residues:
                try:
                    journals.record_cleanup(residue)
                except OSError as error:
                    residue.complain(f"its journal can't be written: {error.strerror or error}")
        if self.forget:
            self._drop_what_failed(outcome, chosen, named=named)
        if not self.dry_run:
            self._forget(outcome, [run.name for run in chosen if self.forget])
        return outcome

    # --- journals -----------------------------------------------------------------------------------

    def _may_drop(self, session_log: SessionLog, *, named: bool) -> bool:
        """Tell whether a journal may be deleted although its session can't be cleaned up."""
        return self.forget and (named or submitted_nothing(session_log))

    def _drop_what_failed(self, outcome: Outcome, chosen: Iterable[Run], *, named: bool) -> None:
        """Delete the journals of runs whose gateways can't be used, where that may be done."""
        for run in chosen:
            failed = [one for one in outcome.residues if one.run == run.name and one.problems]
            refused = any(name == run.name for name, _ in outcome.refused)
            if any(one.reached for one in failed) or not (failed or refused):
                continue
            if all(
                is_clean(session_log) or self._may_drop(session_log, named=named)
                for session_log in run.session_logs
            ):
                outcome.residues = [one for one in outcome.residues if one not in failed]
                outcome.refused = [(name, why) for name, why in outcome.refused if name != run.name]
                self._drop(outcome, run)

    def _drop(self, outcome: Outcome, run: Run) -> None:
        if self._delete(outcome, run):
            outcome.dropped.append((run.name, what_may_be_left(run)))

    def _delete_empty(self, outcome: Outcome, run: Run) -> bool:
        """Delete the journals of a run that never created anything; return whether it is such a run."""
        if not all(created_nothing(session_log) for session_log in run.session_logs):
            return False
        if self._delete(outcome, run):
            outcome.empty.append(run.name)
        return True

    def _forget(self, outcome: Outcome, chosen: Iterable[str]) -> None:
        """Delete the journals of old and of chosen runs, of those of which nothing is left."""
        try:
            runs = runs_in(self.directory)
        except RunError as error:
            outcome.refused.append((str(self.directory), str(error)))
            return
        names = set(chosen)
        late = {residue.run for residue in outcome.residues if residue.left or residue.problems}
        for run in runs:
            if run.name in late or not journals.is_expired(run, keep=run.name not in names):
                continue
            if self._delete(outcome, run):
                outcome.forgotten.append(run.name)

    def _delete(self, outcome: Outcome, run: Run) -> bool:
        """Delete a run's journals, unless that is only to be announced; return whether that went well."""
        if self.dry_run:
            return True
        try:
            journals.delete_journal(run)
        except OSError as error:
            outcome.refused.append((run.name, f"its journal can't be deleted: {error.strerror or error}"))
            return False
        return True
