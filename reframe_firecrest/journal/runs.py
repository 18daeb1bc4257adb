"""Runs and their journals: a run has one journal per session."""

from __future__ import annotations

import glob
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.journal.file_time import age_of
from reframe_firecrest.journal.reader import SessionLog, session_logs
from reframe_firecrest.journal.run_status import RunStatus, run_status_of, silence_of
from reframe_firecrest.journal.writer import SUFFIX
from reframe_firecrest.model.errors import RunError
from reframe_firecrest.model.suggestion import closest

RECENT = 600.0
"""Seconds without a line after which a journal is not looked at in the search for an active run."""


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        name: see `reframe_firecrest.model.run_names`.
        session_logs: at least one; one for each gateway and system that the run uses.
    """

    name: str
    session_logs: Sequence[SessionLog]

    @property
    def begun(self) -> float:
        """Start of the run, in seconds since the epoch."""
        return min(session_log.opened.time for session_log in self.session_logs)

    @property
    def standing(self) -> RunStatus:
        """Status of the run: it is running while one of its sessions is."""
        statuses = {run_status_of(session_log) for session_log in self.session_logs}
        order = (RunStatus.GOES_ON, RunStatus.UNKNOWN, RunStatus.KILLED, RunStatus.ENDED)
        return next(status for status in order if status in statuses)

    @property
    def age(self) -> float:
        """Seconds since its start: its duration by its own clock, plus the silence since then."""
        return max(_age_of(session_log) for session_log in self.session_logs)


def _age_of(session_log: SessionLog) -> float:
    silence = silence_of(session_log)
    if silence is None:
        return max(time.time() - session_log.opened.time, 0.0)
    return silence + max(session_log.last - session_log.opened.time, 0.0)


def runs_in(directory: Path, name: str = "") -> list[Run]:
    """Return the runs whose journals are in a directory, oldest first.

    Args:
        directory: the directory of journals.
        name: beginning of their names.

    Raises:
        RunError: a journal can't be read.
    """
    found: dict[str, list[SessionLog]] = {}
    try:
        for session_log in session_logs(directory, name):
            found.setdefault(session_log.opened.run, []).append(session_log)
    except OSError as error:
        raise RunError(f"{error.filename or directory} can't be read: {error.strerror or error}") from None
    return sorted((Run(*entry) for entry in found.items()), key=lambda run: run.begun)


def names_in(directory: Path, beginning: str = "") -> list[str]:
    """Return the names of the runs whose journals are in a directory, newest first, without reading any.

    Args:
        directory: the directory of journals, which need not exist.
        beginning: beginning of the names.
    """
    # A name begins with the run's start time.
    paths = directory.glob(f"{glob.escape(beginning)}*{SUFFIX}")
    return sorted({path.name.partition(".")[0] for path in paths}, reverse=True)


def newest_run(directory: Path) -> Run:
    """Return the active run that started last, or else the run that started last.

    Raises:
        RunError: the directory has no run, or its journal can't be read.
    """
    active = active_run(directory)
    if active is not None:
        return active
    # Names begin with the start time, so the first valid journal is the newest.
    for name in names_in(directory):
        runs = [run for run in runs_in(directory, name) if run.name == name]
        if runs:
            return runs[0]
    raise RunError(
        f"there is no run in {directory}; set FIRECREST_JOURNAL_DIR if your journals are elsewhere"
    )


def active_run(directory: Path) -> Run | None:
    """Return the run that started last of those that are certainly running; None without one.

    Raises:
        RunError: a journal can't be read.
    """
    # A running session writes its journal once a minute, so most journals need not be read.
    recent = {
        path.name.partition(".")[0]
        for path in directory.glob(f"*{SUFFIX}")
        if (age := age_of(path)) is None or age < RECENT
    }
    for name in sorted(recent, reverse=True):
        for run in runs_in(directory, name):
            if run.name == name and run.standing is RunStatus.GOES_ON:
                return run
    return None


def pick(runs: Iterable[Run], name: str, directory: Path) -> Run:
    """Return the run with a name, or the only run whose name begins with it.

    Args:
        runs: the runs to choose from.
        name: the name, or its beginning.
        directory: the directory of their journals, for messages.

    Raises:
        RunError: no run or several runs match.
    """
    matching = [run for run in runs if run.name.startswith(name)]
    exact = [run for run in matching if run.name == name]
    if len(matching) == 1 or exact:
        return (exact or matching)[0]
    if matching:
        newest = max(run.name for run in matching)
        raise RunError(f"{name!r} matches {len(matching)} runs, newest {newest}; give more of the name")
    raise RunError(
        f"there is no run {name!r}{_similar_run(name, directory)} in {directory}; set "
        "FIRECREST_JOURNAL_DIR if your journals are elsewhere"
    )


def _similar_run(name: str, directory: Path) -> str:
    """Return a suggestion for a name, or for the beginning of one."""
    # The newest of the names with the same beginning counts.
    by_beginning = {known[: len(name)]: known for known in reversed(names_in(directory))}
    similar = closest(name, by_beginning)
    return "" if similar is None else f" (did you mean {by_beginning[similar]!r}?)"
