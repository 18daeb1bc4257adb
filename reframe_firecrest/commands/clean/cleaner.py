"""Choose runs, clean them up on their systems, and update their journals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.commands.clean import run_status
from reframe_firecrest.commands.clean.cleanup import clean_up
from reframe_firecrest.commands.clean.journals import JournalDeletion, record_cleanup
from reframe_firecrest.commands.clean.model import CleanOptions, Outcome
from reframe_firecrest.commands.clean.remote_runs import list_remote_runs, residue_of_remote_run
from reframe_firecrest.commands.clean.residue import is_clean, is_elsewhere, residue_of
from reframe_firecrest.commands.clean.traces import created_nothing
from reframe_firecrest.journal.runs import Run, pick, runs_in
from reframe_firecrest.model.errors import RunError, SettingsError
from reframe_firecrest.session.registry import connect
from reframe_firecrest.session.session import Connect
from reframe_firecrest.settings import read_settings


@dataclass(frozen=True)
class Cleaner:
    """Clean up after runs.

    Attributes:
        directory: directory of the journals.
        environment: the environment variables, for settings that are not in a journal.
        options: options of the clean-up.
        connect: makes the connection to a gateway.
    """

    directory: Path
    environment: Mapping[str, str]
    options: CleanOptions = field(default_factory=CleanOptions)
    connect: Connect = connect

    def clean_run(self, name: str) -> Outcome:
        """Clean up one run.

        Args:
            name: its name, or a unique beginning of it.

        Raises:
            RunError: there is no such run, or it may be running.
            SettingsError: a setting is missing or wrong.
        """
        run = pick(runs_in(self.directory, name), name, self.directory)
        reason = run_status.reason_to_refuse(run, force=self.options.force)
        if reason is not None:
            raise RunError(reason)
        outcome = Outcome()
        if not self._journals(outcome).delete_if_empty(run):
            outcome.refused += self._add_residues(run, outcome, named=True)
        return self._clean(outcome, [run], named=True)

    def clean_finished(self, older_than: float = 0.0) -> Outcome:
        """Clean up all runs that have ended or were killed.

        Args:
            older_than: seconds that must have passed since the beginning of a run.

        Raises:
            RunError: a journal can't be read.
            SettingsError: a setting is missing or wrong.
        """
        outcome = Outcome()
        journals = self._journals(outcome)
        chosen = []
        for run in runs_in(self.directory):
            if run.age < older_than:
                continue
            reason = run_status.reason_to_skip(run)
            if reason is not None:
                outcome.skipped.append((run.name, reason))
            elif not journals.delete_if_empty(run):
                chosen.append(run)
                outcome.skipped += self._add_residues(run, outcome)
        return self._clean(outcome, chosen)

    def clean_remote(self, older_than: float) -> Outcome:
        """Clean up all runs that have a directory or jobs on the system, with or without a journal here.

        Args:
            older_than: seconds that must have passed since the beginning of a run.

        Raises:
            RunError: a journal can't be read.
            SettingsError: a setting is missing or wrong.
            GatewayError: the runs can't be listed.
        """
        settings = read_settings([], self.environment)
        known = {run.name: run for run in runs_in(self.directory)}
        outcome = Outcome()
        for remote in list_remote_runs(settings, self.connect):
            if not remote.is_older_than(older_than):
                continue
            run = known.get(remote.name)
            reason = run_status.reason_to_skip(run) if run else remote.reason_to_skip(older_than)
            if reason is not None:
                outcome.skipped.append((remote.name, reason))
            else:
                outcome.residues.append(residue_of_remote_run(remote, run, settings, self.environment))
        chosen = [known[residue.run] for residue in outcome.residues if residue.run in known]
        return self._clean(outcome, chosen)

    def _journals(self, outcome: Outcome) -> JournalDeletion:
        return JournalDeletion(self.directory, self.options, outcome)

    def _add_residues(self, run: Run, outcome: Outcome, *, named: bool = False) -> list[tuple[str, str]]:
        """Add the residues of a run to an outcome; return those of its sessions that used another gateway."""
        journals = self._journals(outcome)
        if self.options.offline:
            journals.drop(run)
            return []
        elsewhere = []
        for session_log in run.session_logs:
            if created_nothing(session_log):
                continue
            if is_elsewhere(session_log, self.environment):
                if not is_clean(session_log):
                    reason = (
                        f"it used {session_log.opened.url}; set FIRECREST_URL to it, or unset the variable"
                    )
                    elsewhere.append((run.name, reason))
                continue
            try:
                outcome.residues.append(residue_of(session_log, self.environment))
            except (SettingsError, RunError) as error:
                if is_clean(session_log):
                    continue
                if isinstance(error, SettingsError) and not journals.may_drop(session_log, named=named):
                    raise
                outcome.refused.append((run.name, str(error)))
        return elsewhere

    def _clean(self, outcome: Outcome, chosen: Sequence[Run], *, named: bool = False) -> Outcome:
        if outcome.residues:
            clean_up(outcome.residues, dry_run=self.options.dry_run, connect=self.connect)
        # A run that had left nothing matters only if a job of it has appeared since.
        outcome.residues = [residue for residue in outcome.residues if not residue.is_void]
        if not self.options.dry_run:
            _record(outcome)
        journals = self._journals(outcome)
        if self.options.forget:
            journals.drop_unreachable(chosen, named=named)
        if not self.options.dry_run:
            journals.delete_expired(chosen if self.options.forget else ())
        return outcome


def _record(outcome: Outcome) -> None:
    for residue in outcome.residues:
        try:
            record_cleanup(residue)
        except OSError as error:
            residue.add_problem(f"its journal can't be written: {error.strerror or error}")
