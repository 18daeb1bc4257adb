"""ReFrame's results database: an SQLite file in which each session is one row.

Source: `_SqliteStorage` in ``reframe/frontend/reporting/storage.py`` of ReFrame 4.10, schema version 1.0. A
session's row has its whole report as JSON; ``testcases`` is an index of it by time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from reframe_firecrest.model.errors import ReportError

SCHEMA_VERSION = "1.0"

LOCK_TIMEOUT = 60.0
"""Seconds to wait for another process that writes; the same as ReFrame's `sqlite_conn_timeout`."""

TABLES = ("sessions", "testcases", "metadata")


def uri_of(path: Path, mode: str = "rw") -> str:
    """Return SQLite's URI of a file; mode ``rw`` never creates it, and recovers it after a killed writer."""
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def not_a_database(path: Path, reason: object) -> ReportError:
    """Return the error for a file that is unusable as a results database."""
    return ReportError(f"{path} is not a results database of ReFrame: {reason}")


def check_schema(connection: sqlite3.Connection, path: Path, schema: str = "main") -> None:
    """Check that a database has ReFrame's tables in the known version.

    Raises:
        ReportError: it is damaged, or something else.
    """
    try:
        # Both statements take a constant of this module, never text from outside.
        rows = connection.execute(f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table'")  # noqa: S608
        missing = set(TABLES) - {name for (name,) in rows}
        if missing:
            raise not_a_database(path, f"it has no table {', '.join(sorted(missing))}")
        versions = connection.execute(f"SELECT schema_version FROM {schema}.metadata").fetchall()  # noqa: S608
        damage = connection.execute(f"PRAGMA {schema}.quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise not_a_database(path, error) from None
    if versions != [(SCHEMA_VERSION,)]:
        found = ", ".join(str(version) for (version,) in versions) or "none"
        raise not_a_database(path, f"its schema version is {found}, not {SCHEMA_VERSION}")
    if damage != "ok":
        raise not_a_database(path, damage)


def newest_sessions(path: Path, limit: int) -> Iterator[str]:
    """Yield the reports of the newest sessions as JSON, newest first.

    Raises:
        ReportError: the file is missing or is not a results database.
    """
    if not path.is_file():
        raise ReportError(f"there is no results database {path}")
    with _reading(path) as connection:
        check_schema(connection, path)
        query = "SELECT json_blob FROM sessions ORDER BY session_start_unix DESC LIMIT ?"
        for (text,) in connection.execute(query, (limit,)):
            yield str(text)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(uri_of(path), uri=True, timeout=LOCK_TIMEOUT)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        raise not_a_database(path, error) from None
