"""Read journals."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from reframe_firecrest.journal.events import (
    ANY_EVENT,
    CaseMoved,
    Closed,
    JobMoved,
    Opened,
    Prepared,
    Removed,
    Traffic,
    Transferred,
)
from reframe_firecrest.journal.writer import SUFFIX
from reframe_firecrest.model.case_state import CaseKey


@dataclass
class SessionLog:
    """Contents of a journal.

    Attributes:
        path: the journal.
        opened: start of the session.
        jobs: last event of each job, by number.
        moves: all events of each job, by number.
        cases: last event of each test case, in the order in which ReFrame announced them; empty in journals
            of version 0.1.
        transfers: all transfers.
        traffic: last count of the network traffic.
        prepared: last event about the run's directory on the system; None if there is none.
        removed: directories removed on the system, relative to the run's directory.
        closed: end of the session; None if it is running or was killed.
        ended: end or last sign of life of the session, by its clock; lines of clean-ups may follow it.
        killed: the session did not record its end, and a clean-up has.
        last: time of the last line, by the session's clock.
    """

    path: Path
    opened: Opened
    jobs: dict[int, JobMoved] = field(default_factory=dict)
    moves: dict[int, list[JobMoved]] = field(default_factory=dict)
    cases: dict[CaseKey, CaseMoved] = field(default_factory=dict)
    transfers: list[Transferred] = field(default_factory=list)
    traffic: Traffic | None = None
    prepared: Prepared | None = None
    removed: list[str] = field(default_factory=list)
    closed: Closed | None = None
    ended: float | None = None
    killed: bool = False
    last: float = 0.0


def read(path: Path) -> SessionLog | None:
    """Read a journal; return None if the file is not a journal.

    Invalid lines are skipped: the last line of a killed run may be incomplete.

    Raises:
        OSError: the file can't be read.
    """
    session_log: SessionLog | None = None
    for line in path.read_bytes().splitlines():
        try:
            event = ANY_EVENT.validate_json(line)
        except ValidationError:
            continue
        if isinstance(event, Opened):
            session_log = session_log or SessionLog(path, event)
        if session_log is None:
            continue
        session_log.last = event.time
        if isinstance(event, JobMoved):
            session_log.jobs[event.number] = event
            session_log.moves.setdefault(event.number, []).append(event)
        elif isinstance(event, CaseMoved):
            session_log.cases[event.key] = event
        elif isinstance(event, Transferred):
            session_log.transfers.append(event)
        elif isinstance(event, Traffic):
            session_log.traffic = event
        elif isinstance(event, Prepared):
            session_log.prepared = event
        elif isinstance(event, Removed):
            session_log.removed.append(event.path)
        elif isinstance(event, Closed):
            session_log.closed = event
            if session_log.ended is None:
                session_log.killed = event.killed_at is not None
                session_log.ended = event.time if event.killed_at is None else event.killed_at
    return session_log


def read_opening(path: Path) -> Opened | None:
    """Read the first line of a journal; return None if the file is not a journal.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        try:
            event = ANY_EVENT.validate_json(file.readline())
        except ValidationError:
            return None
    return event if isinstance(event, Opened) else None


def session_logs(directory: Path, name: str = "") -> Iterator[SessionLog]:
    """Read the journals in a directory, oldest first; a missing directory has none.

    Args:
        directory: the directory of journals.
        name: beginning of their file names.

    Raises:
        OSError: one of them can't be read.
    """
    for path in sorted(directory.glob(f"{glob.escape(name)}*{SUFFIX}")):
        session_log = read(path)
        if session_log is not None:
            yield session_log
