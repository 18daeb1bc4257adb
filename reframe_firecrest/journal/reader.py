"""Reads journals."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from reframe_firecrest.journal.events import (
    ANY_EVENT,
    Closed,
    JobMoved,
    Opened,
    Prepared,
    Removed,
    Traffic,
    Transferred,
)
from reframe_firecrest.journal.writer import SUFFIX


@dataclass
class SessionLog:
    """What a journal tells.

    Attributes:
        path: the journal.
        opened: how the session began.
        jobs: how each job stood last, by number.
        moves: all that happened to each job, by number.
        transfers: all batches.
        traffic: what went over the wire.
        prepared: the last that is known of the run's directory on the system; None if nothing is.
        removed: directories removed on the system, relative to the run's.
        closed: how the session ended; None if it goes on or was killed.
        last: when the last line was written, by the session's clock.
    """

    path: Path
    opened: Opened
    jobs: dict[int, JobMoved] = field(default_factory=dict)
    moves: dict[int, list[JobMoved]] = field(default_factory=dict)
    transfers: list[Transferred] = field(default_factory=list)
    traffic: Traffic | None = None
    prepared: Prepared | None = None
    removed: list[str] = field(default_factory=list)
    closed: Closed | None = None
    last: float = 0.0


def read(path: Path) -> SessionLog | None:
    """Read a journal; None if it is none.

    A line that can't be read is passed over: the last one of a killed run may be torn.

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
    return session_log


def read_opening(path: Path) -> Opened | None:
    """Read the first line of a journal; None if it is none.

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
    """Yield what the journals in a directory tell, oldest first; nothing if there is no such directory.

    Args:
        directory: where they are.
        name: what the names of their files begin with.

    Raises:
        OSError: one of them can't be read.
    """
    for path in sorted(directory.glob(f"{glob.escape(name)}*{SUFFIX}")):
        session_log = read(path)
        if session_log is not None:
            yield session_log
