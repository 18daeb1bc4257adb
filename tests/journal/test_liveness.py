"""Whether a session goes on: told by a lock, or by the age of its last line."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reframe_firecrest.journal.events import Closed, Opened
from reframe_firecrest.journal.liveness import SILENCE, Standing, is_held, standing_of
from reframe_firecrest.journal.reading import Story, read
from reframe_firecrest.journal.writing import Journal, add
from tests.conftest import PROJECT


def opened(*, locked: bool = True, host: str | None = None, age: float = 0.0) -> Opened:
    return Opened(
        time=time.time() - age,
        run="run",
        url="http://gateway.test",
        system="daint",
        root="/scratch/rf/run",
        stage="/stage",
        host=host or socket.gethostname(),
        pid=1,
        version="1",
        locked=locked,
    )


def written(directory: Path, event: Opened) -> Story:
    """Return the journal of a process that is not there any more."""
    path = directory / "run.jsonl"
    path.write_text(event.model_dump_json() + "\n")
    story = read(path)
    assert story is not None
    return story


def no_locks(*_: object) -> None:
    raise OSError(38, "Function not implemented")


def test_it_goes_on_as_long_as_its_file_is_open_and_was_killed_if_it_is_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run", pytest.fail)
    assert journal.locked
    journal.write(opened())
    story = read(journal.path)
    assert story is not None
    assert standing_of(story) is Standing.GOES_ON
    journal.close()
    assert standing_of(story) is Standing.KILLED


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from reframe_firecrest.journal.writing import Journal\n"
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
    story = written(tmp_path, opened())
    add(story.path, [Closed(time=time.time())])
    again = read(story.path)
    assert again is not None
    assert standing_of(again) is Standing.ENDED


@pytest.mark.parametrize(
    ("locked", "host", "age", "expected"),
    [
        (True, None, 0, Standing.KILLED),
        (True, "elsewhere", 60, Standing.GOES_ON),
        (True, "elsewhere", SILENCE + 60, Standing.KILLED),
        (False, None, 60, Standing.GOES_ON),
        (False, None, SILENCE + 60, Standing.KILLED),
    ],
)
def test_where_no_lock_can_tell_silence_does(
    *, locked: bool, host: str | None, age: float, expected: Standing, tmp_path: Path
) -> None:
    assert standing_of(written(tmp_path, opened(locked=locked, host=host, age=age))) is expected


def test_a_file_system_without_locks_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks)
    journal = Journal(tmp_path, "run", pytest.fail)
    assert not journal.locked
    journal.close()
    assert is_held(journal.path) is None


def test_a_journal_that_is_gone_tells_nothing(tmp_path: Path) -> None:
    assert is_held(tmp_path / "run.jsonl") is None


def test_a_line_is_added_behind_a_torn_one(tmp_path: Path) -> None:
    story = written(tmp_path, opened())
    with story.path.open("ab") as file:
        file.write(b'{"event":"job","ti')
    add(story.path, [Closed(time=5.0, left=("7",))])
    again = read(story.path)
    assert again is not None
    assert again.closed == Closed(time=5.0, left=("7",))
