"""Merging results databases, also those that ReFrame itself has written."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reframe_firecrest.cli.main import app
from reframe_firecrest.commands.history.merge import merge
from reframe_firecrest.model.errors import ReportError
from tests.commands.report.worlds import BEGUN, case, results


def report(path: Path, session: str, end: float = 100.0) -> Path:
    """Write a report of ReFrame with one test case."""
    content: dict[str, Any] = results([case("t1")], end=end)
    content["session_info"]["uuid"] = session
    path.write_text(json.dumps(content))
    return path


def database(path: Path, *sessions: str) -> Path:
    """Write a database with these sessions."""
    merge(path, [report(path.with_name(f"{session}.json"), session) for session in sessions])
    return path


def sessions_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [uuid for (uuid,) in connection.execute("SELECT uuid FROM sessions ORDER BY uuid")]


def cases_of(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.execute("SELECT session_uuid, uuid FROM testcases ORDER BY uuid"))


def test_it_is_a_union(tmp_path: Path) -> None:
    one, two = database(tmp_path / "one.db", "a", "b"), database(tmp_path / "two.db", "b", "c")
    merged = merge(one, [two])
    assert (merged.sessions, merged.added, merged.skipped) == (3, 1, [])
    assert sessions_of(one) == ["a", "b", "c"]
    assert cases_of(one) == [(name, f"{name}:0:0") for name in "abc"]
    assert sessions_of(two) == ["b", "c"], "sources never change"
    again = merge(one, [two, one])
    assert (again.added, again.skipped) == (0, []), "again it adds nothing, not even from itself"
    assert cases_of(one) == [(name, f"{name}:0:0") for name in "abc"]


def test_reframe_reads_it_and_writes_to_it(tmp_path: Path) -> None:
    """ReFrame's own commands work on a merged file, and what they write can be merged."""
    history = database(tmp_path / "history.db", "a")
    (tmp_path / "check.py").write_text(
        "import reframe as rfm\n"
        "@rfm.simple_test\n"
        "class Quick(rfm.RunOnlyRegressionTest):\n"
        "    valid_systems = valid_prog_environs = ['*']\n"
        "    executable = 'true'\n"
        "    @sanity_function\n"
        "    def passes(self):\n"
        "        return True\n"
    )
    reframe = Path(sys.executable).with_name("reframe")
    variables = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "RFM_ENABLE_RESULTS_STORAGE": "1",
        "RFM_SQLITE_DB_FILE": str(tmp_path / "results.db"),
        "RFM_AUTODETECT_XTHOSTNAME": "0",
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [reframe, *arguments], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
        )
        return done.stdout

    run("-c", "check.py", "-r")
    assert merge(history, [tmp_path / "results.db"]).added == 1
    variables["RFM_SQLITE_DB_FILE"] = str(history)
    assert all(uuid in run("--list-stored-sessions=all") for uuid in sessions_of(history))
    run("-c", "check.py", "-r")
    assert len(sessions_of(history)) == 3


def test_two_processes_merge_at_the_same_time(tmp_path: Path) -> None:
    groups = [[f"{letter}{number}" for number in range(12)] for letter in "ab"]
    program = """
import sys
from pathlib import Path
from reframe_firecrest.commands.history.merge import merge
for source in sys.argv[2:]:
    merge(Path(sys.argv[1]), [Path(source)])
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "history.db")]
            + [str(database(tmp_path / f"{name}.db", name)) for name in group]
        )
        for group in groups
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert sessions_of(tmp_path / "history.db") == sorted(groups[0] + groups[1])


def test_what_is_older_is_removed(tmp_path: Path) -> None:
    sources = [report(tmp_path / "old.json", "old", end=10), report(tmp_path / "new.json", "new", end=1000)]
    merged = merge(tmp_path / "history.db", sources, oldest=BEGUN + 500)
    assert (merged.added, merged.removed, merged.sessions) == (2, 1, 1)
    assert sessions_of(tmp_path / "history.db") == ["new"]
    assert [session for session, _ in cases_of(tmp_path / "history.db")] == ["new"]


BROKEN = {
    "missing": (None, "can't be read: No such file"),
    "text": (b"no report", "is neither a results database nor a JSON report of ReFrame"),
    "list": (b"[]", "is neither a results database nor a JSON report of ReFrame"),
    "empty": (b"", "is neither a results database nor a JSON report of ReFrame"),
    "cut": (b"SQLite format 3\x00" + bytes(50), "is not a results database of ReFrame"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_source_that_is_none_is_named_and_the_others_are_merged(tmp_path: Path, name: str) -> None:
    content, reason = BROKEN[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    merged = merge(tmp_path / "history.db", [tmp_path / name, report(tmp_path / "good.json", "good")])
    [skipped] = merged.skipped
    assert str(skipped).startswith(f"{tmp_path / name} ")
    assert reason in str(skipped)
    assert sessions_of(tmp_path / "history.db") == ["good"]


def other_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE metadata SET schema_version = '2.0'")
        connection.commit()


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE testcases")
        connection.commit()


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"x" * (len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_version, "its schema version is 2.0, not 1.0"),
        (other_tables, "it has no table testcases"),
        (damage, "is not a results database of ReFrame"),
    ],
)
def test_another_database_is_no_source_and_no_target(tmp_path: Path, change: Any, reason: str) -> None:
    other, good = database(tmp_path / "other.db", "a"), database(tmp_path / "good.db", "b")
    change(other)
    before = other.read_bytes()
    [skipped] = merge(good, [other]).skipped
    assert reason in str(skipped)
    assert sessions_of(good) == ["b"]
    with pytest.raises(ReportError, match=reason):
        merge(other, [good])
    assert other.read_bytes() == before


def test_a_target_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"file/history\.db can't be written"):
        merge(tmp_path / "file/history.db", [])


def command(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["merge-results", *map(str, arguments)])


def test_the_command_reports_what_it_did(tmp_path: Path) -> None:
    old = report(tmp_path / "old.json", "old", end=time.time() - BEGUN - 90 * 86400)
    new = report(tmp_path / "new.json", "new", end=time.time() - BEGUN)
    done = command(tmp_path / "history.db", old, new, "--keep", "30d")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path}/history.db: 1 session, 2 added, 1 removed\n")
    done = command(tmp_path / "history.db", tmp_path / "nosuch.db")
    assert done.exit_code == 1
    assert done.stderr.endswith("nosuch.db can't be read: No such file or directory; skipped\n")
    wrong = command(tmp_path / "history.db", new, "--keep", "soon")
    assert wrong.exit_code == 2
    assert "--keep: 'soon' is not an age; write a number" in wrong.stderr
    assert command(new, new).exit_code == 2
