"""A session is alive unless it is proven dead."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.journal import file_time, process_identity, run_status
from reframe_firecrest.journal.events import Closed, Opened
from reframe_firecrest.journal.file_time import is_held
from reframe_firecrest.journal.process_identity import Process, machine, own_identity
from reframe_firecrest.journal.reader import SessionLog, read
from reframe_firecrest.journal.run_status import RULES, Evidence, RunStatus, decide, now_of, run_status_of
from reframe_firecrest.journal.writer import Journal, add
from reframe_firecrest.model.clock import since_boot
from tests.conftest import PROJECT
from tests.journal.processes import ELSEWHERE, GONE

DAY = 86_400.0


def opened(*, locked: bool = True, age: float = 0.0, **more: Any) -> Opened:
    known = {
        "time": time.time() - age,
        "run": "run",
        "url": "http://gateway.test",
        "system": "daint",
        "root": "/scratch/rf/run",
        "stage": "/stage",
        "host": socket.gethostname(),
        "version": "1",
        "locked": locked,
        **GONE,
        **more,
    }
    return Opened.model_validate(known)


def written(directory: Path, event: Opened) -> SessionLog:
    """Return the journal of a process that is not there any more."""
    path = directory / "run.jsonl"
    path.write_text(event.model_dump_json() + "\n")
    os.utime(path, (event.time, event.time))
    session_log = read(path)
    assert session_log is not None
    return session_log


def no_locks(*_: object) -> None:
    raise OSError(38, "Function not implemented")


def test_it_is_active_while_its_file_is_open_and_was_killed_otherwise(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run", pytest.fail)
    assert journal.locked
    journal.write(opened())
    session_log = read(journal.path)
    assert session_log is not None
    assert run_status_of(session_log) is RunStatus.GOES_ON
    journal.close()
    assert run_status_of(session_log) is RunStatus.KILLED


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from reframe_firecrest.journal.writer import Journal\n"
        "journal = Journal(pathlib.Path(sys.argv[1]), 'run', print)\n"
        "print(journal.locked, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert is_held(tmp_path / "run.jsonl")
        process.send_signal(signal.SIGKILL)
    assert is_held(tmp_path / "run.jsonl") is False


def test_several_may_ask_at_the_same_time(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text("")
    with (tmp_path / "run.jsonl").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert is_held(tmp_path / "run.jsonl") is False


def test_one_that_is_closed_has_ended(tmp_path: Path) -> None:
    session_log = written(tmp_path, opened())
    add(session_log.path, [Closed(time=time.time())])
    again = read(session_log.path)
    assert again is not None
    assert run_status_of(again) is RunStatus.ENDED


HERE: dict[str, Any] = {"boot": GONE["boot"], "namespaces": "pid:[1] time:[2]"}
"""In another container on this machine."""


@pytest.mark.parametrize(
    ("locked", "where", "age", "expected"),
    [
        (True, GONE, 0, RunStatus.KILLED),
        (False, GONE, 0, RunStatus.KILLED),
        (True, HERE, 0, RunStatus.KILLED),
        (False, HERE, 60, RunStatus.GOES_ON),
        (True, ELSEWHERE, 60, RunStatus.GOES_ON),
        (True, ELSEWHERE, 7 * 3600, RunStatus.UNKNOWN),
        (True, ELSEWHERE, DAY + 60, RunStatus.KILLED),
        (False, HERE, 7 * 3600, RunStatus.UNKNOWN),
        (False, HERE, DAY + 60, RunStatus.KILLED),
        # Journals of earlier versions name a host only, and another machine may have the same name.
        (True, {"boot": "", "namespaces": "", "started": 0}, 7 * 3600, RunStatus.UNKNOWN),
        (True, {"boot": "", "namespaces": "", "started": 0}, DAY + 60, RunStatus.KILLED),
    ],
)
def test_what_is_known_of_the_process_decides_and_then_a_long_silence(
    *, locked: bool, where: dict[str, Any], age: float, expected: RunStatus, tmp_path: Path
) -> None:
    assert run_status_of(written(tmp_path, opened(locked=locked, age=age, **where))) is expected


def live(**more: object) -> dict[str, Any]:
    own = own_identity()
    return {"boot": own.boot, "namespaces": own.namespaces, "pid": own.pid, "started": own.started, **more}


@pytest.mark.parametrize("silence", [7 * 3600, 3 * DAY])
def test_a_live_run_on_a_file_system_without_locks_continues_after_hours_of_sleep(
    silence: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its journal's times, hours behind, nor the lock that can be had prove anything."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    session_log = written(tmp_path, opened(locked=True, age=silence, **live()))
    assert run_status_of(session_log) is RunStatus.GOES_ON


def test_two_machines_of_the_same_name_are_two_machines(tmp_path: Path) -> None:
    """The lock is free here, because the file system keeps locks for one machine only."""
    session_log = written(tmp_path, opened(age=3600, **ELSEWHERE))
    assert session_log.opened.host == socket.gethostname()
    assert is_held(session_log.path) is False
    assert run_status_of(session_log) is RunStatus.UNKNOWN


@pytest.mark.parametrize("step", [-10.0, 3600.0, -DAY, 2 * DAY])
def test_a_step_of_our_clock_kills_no_run_of_another_machine(
    step: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_log, now = written(tmp_path, opened(age=10, **ELSEWHERE)), time.time
    monkeypatch.setattr(time, "time", lambda: now() + step)
    assert run_status_of(session_log) in run_status.ALIVE


def test_the_run_itself_records_how_long_it_may_be_silent(tmp_path: Path) -> None:
    assert (
        run_status_of(written(tmp_path, opened(age=4000, dead_after=3600, **ELSEWHERE))) is RunStatus.KILLED
    )
    patient = opened(age=2 * DAY, dead_after=3 * DAY, **ELSEWHERE)
    assert run_status_of(written(tmp_path, patient)) is RunStatus.UNKNOWN


@pytest.mark.parametrize(
    ("up", "local", "id_of_machine", "expected"),
    [
        (1800.0, True, "", RunStatus.KILLED),
        (7200.0, True, "", RunStatus.UNKNOWN),
        (60.0, True, "", RunStatus.UNKNOWN),
        (1800.0, False, "", RunStatus.UNKNOWN),
        (1800.0, True, "another", RunStatus.UNKNOWN),
    ],
)
def test_a_restart_of_its_machine_has_ended_it(
    *,
    up: float,
    local: bool,
    id_of_machine: str,
    expected: RunStatus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    id_file = tmp_path / "machine-id"
    id_file.write_text("0123456789abcdef")
    monkeypatch.setattr(process_identity, "_MACHINE_ID", id_file)
    monkeypatch.setattr(file_time, "LOCAL", frozenset([file_time._type_of(tmp_path)] if local else []))
    monkeypatch.setattr(run_status, "since_boot", lambda: up)
    event = opened(age=3600, **{**ELSEWHERE, "machine": id_of_machine or machine()})
    assert run_status_of(written(tmp_path, event)) is expected


def test_what_nothing_proves_is_unknown_and_each_rule_is_needed() -> None:
    nothing = Evidence(
        closed=False,
        held=None,
        process=Process.UNKNOWN,
        same_kernel=False,
        locks=False,
        restarted=False,
        silence=None,
        limit=DAY,
    )
    assert decide(nothing).verdict is RunStatus.UNKNOWN
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_time_of_a_live_session_is_that_of_its_own_clock(tmp_path: Path) -> None:
    here = written(tmp_path, opened(age=100, epoch=1000.0, **live()))
    assert abs(now_of(here) - max(here.last, 1000.0 + since_boot())) < 10
    there = written(tmp_path, opened(age=100, **ELSEWHERE))
    assert 99 < now_of(there) - there.last < 200


def test_a_file_system_without_locks_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks)
    journal = Journal(tmp_path, "run", pytest.fail)
    assert not journal.locked
    journal.close()
    assert is_held(journal.path) is None


def test_a_missing_journal_reports_nothing(tmp_path: Path) -> None:
    assert is_held(tmp_path / "run.jsonl") is None


def test_a_line_is_added_behind_a_torn_one(tmp_path: Path) -> None:
    session_log = written(tmp_path, opened())
    with session_log.path.open("ab") as file:
        file.write(b'{"event":"job","ti')
    add(session_log.path, [Closed(time=5.0, left=("7",))])
    again = read(session_log.path)
    assert again is not None
    assert again.closed == Closed(time=5.0, left=("7",))
