"""Merge results databases and reports of ReFrame into one database.

Sessions have unique ids and never change, so merging is a union: its order and repetitions do not matter,
and two processes may merge into one file at the same time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reframe_firecrest.commands.results_database import (
    LOCK_TIMEOUT,
    SCHEMA_VERSION,
    check_schema,
    not_a_database,
    uri_of,
)
from reframe_firecrest.model.errors import ReportError

_CREATE = """
CREATE TABLE IF NOT EXISTS sessions(
    uuid TEXT PRIMARY KEY, session_start_unix REAL, session_end_unix REAL, json_blob TEXT, report_file TEXT);
CREATE TABLE IF NOT EXISTS testcases(
    name TEXT, system TEXT, partition TEXT, environ TEXT, job_completion_time_unix REAL,
    session_uuid TEXT, uuid TEXT, FOREIGN KEY(session_uuid) REFERENCES sessions(uuid) ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS metadata(schema_version TEXT);
CREATE INDEX IF NOT EXISTS index_testcases_time ON testcases(job_completion_time_unix);
CREATE INDEX IF NOT EXISTS index_sessions_time ON sessions(session_start_unix)
"""
_SESSION = "uuid, session_start_unix, session_end_unix, json_blob, report_file"
_CASE = "name, system, partition, environ, job_completion_time_unix, session_uuid, uuid"
_CASE_KEYS = ("name", "system", "partition", "environ", "job_completion_time_unix")

_SQLITE = b"SQLite format 3\x00"
"""First bytes of a database; source: https://www.sqlite.org/fileformat.html, section 1.3."""


@dataclass(frozen=True)
class Merged:
    """Outcome of a merge.

    Attributes:
        sessions: number of sessions in the target.
        added: number of sessions that were new.
        removed: number of sessions that were too old.
        skipped: errors of the sources that could not be read.
    """

    sessions: int
    added: int
    removed: int
    skipped: Sequence[ReportError]


def merge(target: Path, sources: Sequence[Path], oldest: float | None = None) -> Merged:
    """Merge sources into a target, which is created if it is missing.

    Args:
        target: the database.
        sources: databases, or reports that ``--report-file`` has written.
        oldest: sessions that ended before this time are removed, in seconds since the epoch; None keeps all.

    Raises:
        ReportError: the target is something else, or can't be written.
    """
    skipped: list[ReportError] = []
    with _target(target) as connection:
        before = _count(connection)
        # A database can't be merged into itself: SQLite would wait for its own lock.
        for source in (source for source in sources if source.resolve() != target.resolve()):
            try:
                _add(connection, source)
            except ReportError as error:
                skipped.append(error)
        added = _count(connection) - before
        removed = 0 if oldest is None else _remove(connection, oldest)
        return Merged(_count(connection), added, removed, skipped)


@contextmanager
def _target(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without an isolation level, transactions begin and end only where this module says so.
        with closing(
            sqlite3.connect(uri_of(path, "rwc"), uri=True, timeout=LOCK_TIMEOUT, isolation_level=None)
        ) as connection:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                with _transaction(connection):
                    for statement in _CREATE.split(";"):
                        connection.execute(statement)
                    if not connection.execute("SELECT 1 FROM metadata").fetchone():
                        connection.execute("INSERT INTO metadata VALUES (?)", (SCHEMA_VERSION,))
            check_schema(connection, path)
            yield connection
    except sqlite3.DatabaseError as error:
        raise not_a_database(path, error) from None
    except OSError as error:
        raise ReportError(f"{path} can't be written: {error.strerror or error}") from None


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # It takes the lock at once: a read lock that is upgraded later can fail without waiting.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sessions").fetchone()[0])


def _add(connection: sqlite3.Connection, source: Path) -> None:
    add: Callable[[sqlite3.Connection, Path], None] = _add_database
    try:
        with source.open("rb") as file:
            if file.read(len(_SQLITE)) != _SQLITE:
                add = _add_report
    except OSError as error:
        raise ReportError(f"{source} can't be read: {error.strerror or error}") from None
    add(connection, source)


def _add_database(connection: sqlite3.Connection, source: Path) -> None:
    try:
        connection.execute("ATTACH DATABASE ? AS source", (uri_of(source),))
    except sqlite3.DatabaseError as error:
        raise not_a_database(source, error) from None
    try:
        check_schema(connection, source, "source")
        with _transaction(connection):
            new = "(SELECT uuid FROM source.sessions WHERE uuid NOT IN (SELECT uuid FROM main.sessions))"
            cases = f"SELECT {_CASE} FROM source.testcases WHERE session_uuid IN {new}"  # noqa: S608 - constants
            connection.execute(f"INSERT INTO main.testcases({_CASE}) {cases}")
            connection.execute(
                f"INSERT OR IGNORE INTO main.sessions({_SESSION}) SELECT {_SESSION} FROM source.sessions"  # noqa: S608
            )
    except sqlite3.DatabaseError as error:
        raise not_a_database(source, error) from None
    finally:
        connection.execute("DETACH DATABASE source")


def _add_report(connection: sqlite3.Connection, source: Path) -> None:
    try:
        report = json.loads(source.read_bytes())
        session, cases = _rows(report, source)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ReportError(f"{source} is neither a results database nor a JSON report of ReFrame") from None
    with _transaction(connection):
        if connection.execute("SELECT 1 FROM sessions WHERE uuid = ?", session[:1]).fetchone():
            return
        connection.execute(f"INSERT INTO sessions({_SESSION}) VALUES (?, ?, ?, ?, ?)", session)  # noqa: S608
        connection.executemany(f"INSERT INTO testcases({_CASE}) VALUES (?, ?, ?, ?, ?, ?, ?)", cases)  # noqa: S608


def _rows(report: Mapping[str, Any], source: Path) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    info = report["session_info"]
    identity = str(info["uuid"])
    # ReFrame searches this text for `"session_info": {...}` on one line.
    text = json.dumps(report)
    session = (identity, float(info["time_start_unix"]), float(info["time_end_unix"]), text, str(source))
    cases = [
        (*(case.get(key) for key in _CASE_KEYS), identity, f"{identity}:{run}:{place}")
        for run, one in enumerate(report["runs"])
        for place, case in enumerate(one["testcases"])
    ]
    return session, cases


def _remove(connection: sqlite3.Connection, oldest: float) -> int:
    before = _count(connection)
    old = "SELECT uuid FROM sessions WHERE session_end_unix < ?"
    with _transaction(connection):
        connection.execute(f"DELETE FROM testcases WHERE session_uuid IN ({old})", (oldest,))  # noqa: S608
        connection.execute("DELETE FROM sessions WHERE session_end_unix < ?", (oldest,))
    removed = before - _count(connection)
    if removed:
        connection.execute("VACUUM")
    return max(removed, 0)
