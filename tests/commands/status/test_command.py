"""`reframe-firecrest status` at the terminal."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from reframe_firecrest.cli.main import app
from reframe_firecrest.commands.status.table import render
from reframe_firecrest.journal.events import Closed, Traffic
from reframe_firecrest.journal.reader import read
from reframe_firecrest.journal.run_status import RunStatus
from reframe_firecrest.journal.summary import summarise_session
from tests.commands.status.conftest import BEGUN, Write, case, job, opened

Status = Callable[..., Any]
RUN = opened().run


@pytest.fixture
def status(tmp_path: Path) -> Status:
    environment = {"FIRECREST_JOURNAL_DIR": str(tmp_path / "journals"), "COLUMNS": None}

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["status", *arguments], env=environment)

    return run


def test_the_newest_run_is_shown(write: Write, status: Status) -> None:
    write(opened("20270101-000000-host-000000"))
    write(
        opened(),
        job(1, 1, "submitted", job_id="12", state="PENDING", reason="Priority"),
        job(2, 1, "failed", error="a [red]quota\x1b is exceeded"),
        Traffic(time=BEGUN + 2, requests=7, bytes_sent=1500, bytes_received=2_000_000),
    )
    done = status()
    assert done.exit_code == 0, done.output
    assert f"run {RUN} on 'daint' at http://gateway.test/" in done.stdout
    assert "running since 20" in done.stdout
    assert "tests: 1 of 2 done, 1 failed; 1 pending" in done.stdout
    assert "requests: 7, 1.5 kB sent, 2.0 MB received" in done.stdout
    assert "last error: t2: a [red]quota\\x1b is exceeded" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("t1 ")]
    assert line.split()[:3] == ["t1", "pending", "12"]
    assert line.rstrip().endswith("Priority")


def test_how_long_jobs_have_waited_is_shown(write: Write, status: Status) -> None:
    write(
        opened(),
        *(
            job(1, 0, "queued"),
            job(1, 1, "submitted", job_id="12"),
            job(1, 9, "done", job_id="12", elapsed=5.0, state="COMPLETED"),
        ),
        Closed(time=BEGUN + 10),
    )
    shown = status().stdout
    assert "time in the queue: median 3 s, longest 3 s" in shown
    [line] = [line for line in shown.splitlines() if line.startswith("t1 ")]
    assert line.split() == ["t1", "done", "12", "3", "s", "9", "s"]


def test_a_terminal_shows_as_many_jobs_as_it_has_lines_for(write: Write) -> None:
    journal = write(opened(), *(job(number, number, "queued") for number in range(1, 101)))
    session_log = read(journal.path)
    assert session_log is not None
    console = Console(width=120, file=StringIO())
    console.print(render([summarise_session(session_log, RunStatus.GOES_ON, BEGUN + 200)], 24))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 24
    assert lines[-1].rstrip() == f"and 86 more: reframe-firecrest status {RUN}"


def test_an_outage_is_shown(write: Write, status: Status) -> None:
    write(opened(), Traffic(time=BEGUN + 40, requests=1, bytes_sent=1, bytes_received=1, unavailable=16.0))
    assert "gateway unavailable for " in status().stdout


@pytest.mark.parametrize(
    ("left", "shown"), [((), "; cleaned up since"), (("12",), "queued or running: job 12")]
)
def test_a_run_that_was_killed_and_cleaned_up_was_still_killed(
    left: tuple[str, ...], shown: str, write: Write, status: Status
) -> None:
    write(opened(), Closed(time=BEGUN + 90, left=left, killed_at=BEGUN + 5)).close()
    text = status(RUN[:-3]).stdout
    assert "killed; last sign of life at" in text
    assert "after 5 s" in text
    assert shown in text
    assert ("cleaned up" in text) is (not left)


def test_a_run_that_was_killed_is_reported_with_the_remedy(write: Write, status: Status) -> None:
    write(opened(), job(1, 1, "submitted", job_id="12")).close()
    shown = status(RUN[:-3]).stdout
    assert "killed; last sign of life at" in shown
    assert f"reframe-firecrest clean {RUN}" in shown


def test_all_sessions_of_a_run_are_shown(write: Write, status: Status) -> None:
    write(opened(), Closed(time=BEGUN + 5, left=("12",)))
    write(opened(system="eiger"))
    shown = status().stdout
    assert "on 'daint'" in shown
    assert "ended at" in shown
    assert "may still be queued or running: job 12" in shown
    assert "on 'eiger'" in shown
    assert "tests: none" in shown


def test_a_script_gets_all_of_it(write: Write, status: Status) -> None:
    write(opened(), job(1, 1, "submitted", job_id="12", state="RUNNING"))
    data = json.loads(status("--json").stdout)
    assert (data["run"], data["standing"]) == (RUN, "goes on")
    [session] = data["sessions"]
    assert session["states"] == {"RUNNING": 1}
    assert session["jobs"][0]["job_id"] == "12"
    [test] = session["tests"]
    assert (test["name"], test["state"], test["job"]["job_id"]) == ("t1", "running", "12")


def test_it_is_watched_until_it_is_over(
    write: Write, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = write(opened(), job(1, 1, "submitted", job_id="12"))
    looks: list[float] = []

    def end(step: float) -> None:
        looks.append(step)
        journal.write(job(1, 9, "done", job_id="12"))
        journal.write(Closed(time=BEGUN + 10))

    monkeypatch.setattr("reframe_firecrest.cli.status.time.sleep", end)
    done = status("--watch")
    assert done.exit_code == 0, done.output
    assert looks == [1.0]
    assert "ended at" in done.stdout
    assert "tests: 1 of 1 done" in done.stdout


def test_a_run_that_is_over_is_watched_once(write: Write, status: Status) -> None:
    write(opened(), Closed(time=BEGUN + 10))
    watched: list[Any] = []
    thread = threading.Thread(target=lambda: watched.append(status(RUN, "--watch")))
    thread.start()
    thread.join(30)
    assert "ended at" in watched[0].stdout


def sleepers(write: Write) -> Any:
    """Begin a run of which each test is in another state."""
    directories = {number: f"/stage/t{number}" for number in range(1, 6)}
    return write(
        opened(),
        *(case(number) for number in range(1, 7)),
        *(case(number, directory=directory) for number, directory in directories.items()),
        job(1, 1, "submitted", job_id="11", state="PENDING", reason="Resources"),
        job(2, 1, "submitted", job_id="12", state="RUNNING", nodes="nid000001"),
        *(job(number, 9, "done", job_id=f"1{number}", state="COMPLETED") for number in (3, 4, 5)),
        case(3, 9, directory=directories[3], result="pass"),
        case(4, 9, directory=directories[4], result="fail", stage="sanity"),
    )


def test_tests_are_shown_by_their_names_and_results(write: Write, status: Status) -> None:
    sleepers(write)
    shown = status().stdout
    assert "tests: 2 of 6 done, 1 failed; 1 running, 1 pending, 1 checking, 1 not started" in shown
    lines = [line.split() for line in shown.splitlines() if line.startswith("Sleeper")]
    assert [(line[1], " ".join(line[2:4])) for line in lines] == [
        ("%n=2", "running 12"),
        ("%n=1", "pending 11"),
        ("%n=5", "checking 15"),
        ("%n=6", "not started"),
        ("%n=4", "failed 14"),
        ("%n=3", "passed 13"),
    ]
    assert " ".join(lines[4]).endswith("failed in sanity")


@pytest.mark.parametrize("columns", [70, 120])
def test_a_terminal_of_any_width_shows_names_states_and_reasons(columns: int, write: Write) -> None:
    session_log = read(sleepers(write).path)
    assert session_log is not None
    console = Console(width=columns, file=StringIO())
    console.print(render([summarise_session(session_log, RunStatus.GOES_ON, BEGUN + 20)], 40, columns))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    rows = [line for line in lines if line.startswith("Sleeper")]
    assert len(rows) == 6, "a test has a line of its own"
    assert rows[1].split()[:4] == ["Sleeper", "%n=1", "pending", "11"]
    assert rows[1].rstrip().endswith("Resources")
    assert ("nid000001" in rows[0]) is (columns == 120)


def test_a_run_that_is_active_is_preferred_to_a_newer_one(write: Write, status: Status) -> None:
    write(opened())
    newer = "20270116-080000-host-0a1b2c"
    write(opened(newer), Closed(time=BEGUN + 1)).close()
    assert f"run {RUN} " in status().stdout
    assert f"run {newer} " in status(newer).stdout


def test_a_run_that_has_not_started_is_waited_for(
    write: Write, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(opened("20270101-000000-host-000000"), Closed(time=BEGUN)).close()
    begun: list[Any] = []

    def pause(_seconds: float) -> None:
        if begun:
            begun[0].write(Closed(time=BEGUN + 10))
        else:
            begun.append(write(opened()))

    monkeypatch.setattr("reframe_firecrest.cli.status.time.sleep", pause)
    done = status("--watch")
    assert done.exit_code == 0, done.output
    assert "no run is active; waiting for one" in done.stdout
    assert f"run {RUN} " in done.stdout
    assert "ended at" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is no run in "),
        (["nobody"], "there is no run 'nobody' in "),
        (["--watch", "--json"], "--watch excludes --json"),
    ],
)
def test_what_can_not_be_shown_is_reported_in_one_line(
    arguments: list[str], said: str, status: Status
) -> None:
    done = status(*arguments)
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("reframe-firecrest status: ")
    assert said in line


def test_a_journal_that_can_not_be_read_is_named(write: Write, status: Status) -> None:
    journal = write(opened())
    journal.close()
    journal.path.unlink()
    journal.path.mkdir()
    done = status()
    assert done.exit_code == 2
    assert f"{journal.path} can't be read: Is a directory" in done.stderr
