"""The runs that journals tell of: a run has one journal for each of its sessions."""

from __future__ import annotations

import glob
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.journal.reader import SessionLog, read, session_logs
from reframe_firecrest.journal.run_status import RunStatus, run_status_of, silence_of
from reframe_firecrest.journal.writer import SUFFIX
from reframe_firecrest.model.errors import RunError


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        name: see `reframe_firecrest.model.run_names`.
        session_logs: one for each gateway and system that it has to do with, at least one.
    """

    name: str
    session_logs: Sequence[SessionLog]

    @property
    def begun(self) -> float:
        """When it began, in seconds since the epoch."""
        return min(session_log.opened.time for session_log in self.session_logs)

    @property
    def standing(self) -> RunStatus:
        """How it stands: it goes on as long as one of its sessions does."""
        found = {run_status_of(session_log) for session_log in self.session_logs}
        order = (RunStatus.GOES_ON, RunStatus.UNKNOWN, RunStatus.KILLED, RunStatus.ENDED)
        return next(one for one in order if one in found)

    @property
    def age(self) -> float:
        """Seconds since it began: how long it lasted by its own clock, and how long it has been silent."""
        return max(_age_of(session_log) for session_log in self.session_logs)


def _age_of(session_log: SessionLog) -> float:
    silence = silence_of(session_log)
    if silence is None:
        return max(time.time() - session_log.opened.time, 0.0)
    return silence + max(session_log.last - session_log.opened.time, 0.0)


def runs_in(directory: Path, name: str = "") -> list[Run]:
    """Return the runs whose journals are in a directory, oldest first.

    Args:
        directory: where they are.
        name: what their names begin with.

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
    """Return the names of the runs whose journals are in a directory, the newest first, without reading any.

    Args:
        directory: where they are; it need not be there.
        beginning: of the names.
    """
    # They begin with the time at which the run did.
    paths = directory.glob(f"{glob.escape(beginning)}*{SUFFIX}")
    return sorted({path.name.partition(".")[0] for path in paths}, reverse=True)


def newest_run(directory: Path) -> Run:
    """Return the run that began last.

    Raises:
        RunError: there is none, or its journal can't be read.
    """
    # Names begin with the time, so not all need be read.
    for path in sorted(directory.glob(f"*{SUFFIX}"), reverse=True):
        try:
            session_log = read(path)
        except OSError as error:
            raise RunError(f"{path} can't be read: {error.strerror or error}") from None
        if session_log is not None:
            return pick(runs_in(directory, session_log.opened.run), session_log.opened.run, directory)
    raise RunError(f"there is no run in {directory}; where others are looked for says FIRECREST_JOURNAL_DIR")


def pick(runs: Iterable[Run], name: str, directory: Path) -> Run:
    """Return the run of a name, or the only one whose name begins like that.

    Args:
        runs: those that there are.
        name: the name, or its beginning.
        directory: where their journals are, for messages.

    Raises:
        RunError: there is none, or more than one.
    """
    fitting = [run for run in runs if run.name.startswith(name)]
    exact = [run for run in fitting if run.name == name]
    if len(fitting) == 1 or exact:
        return (exact or fitting)[0]
    if fitting:
        raise RunError(f"{name!r} may be any of {', '.join(run.name for run in fitting)}")
    raise RunError(
        f"there is no run {name!r} in {directory}; where others are looked for says FIRECREST_JOURNAL_DIR"
    )
