"""The journal: what is left of a run when its process is gone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reframe_firecrest.journal.events import Closed, JobMoved, Opened, Removed, Traffic, Transferred
from reframe_firecrest.journal.file_time import is_held
from reframe_firecrest.journal.reader import read, session_logs
from reframe_firecrest.journal.writer import Journal
from reframe_firecrest.model.job import JobHandle, JobSpec, JobState, Phase


def opened(run: str = "run-1") -> Opened:
    return Opened(
        time=1.0,
        run=run,
        url="http://gateway.test",
        system="daint",
        root=f"/scratch/rf/{run}",
        stage="/stage",
        host="here",
        pid=7,
        version="1.0",
    )


def job(time: float, phase: str, number: int = 1, **more: object) -> JobMoved:
    return JobMoved.model_validate(
        {"time": time, "number": number, "name": "t", "directory": "/stage/t", "phase": phase, **more}
    )


Begin = Callable[..., Journal]


@pytest.fixture
def journal() -> Iterator[Begin]:
    """Begin journals; they are closed at the end."""
    begun: list[Journal] = []

    def fail(text: str) -> None:
        raise AssertionError(text)

    def begin(directory: Path, name: str = "run-1") -> Journal:
        begun.append(Journal(directory, name, fail))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


def test_what_was_written_is_read(tmp_path: Path, journal: Begin) -> None:
    written = journal(tmp_path)
    moves = [job(2, "queued"), job(3, "submitted", job_id="12"), job(2.5, "queued", number=2)]
    written.write(opened())
    for move in moves:
        written.write(move)
    written.write(Transferred(time=4, way="sent", files=3, jobs=2, size=10, seconds=0.5))
    written.write(Traffic(time=5, requests=9, bytes_sent=1, bytes_received=2))
    written.write(Removed(time=6, path="a"))
    written.write(Closed(time=7, left=("12",)))
    written.close()
    session_log = read(written.path)
    assert session_log is not None
    assert session_log.opened == opened()
    assert session_log.jobs == {1: moves[1], 2: moves[2]}
    assert session_log.moves[1] == moves[:2]
    assert session_log.transfers[0].size == 10
    assert session_log.traffic is not None
    assert session_log.traffic.requests == 9
    assert session_log.removed == ["a"]
    assert session_log.closed == Closed(time=7, left=("12",))
    assert session_log.last == 7


def test_every_line_is_there_at_once(tmp_path: Path, journal: Begin) -> None:
    written = journal(tmp_path)
    written.write(opened())
    session_log = read(written.path)
    assert session_log is not None
    assert session_log.closed is None


def test_a_torn_line_hides_none_of_the_others(tmp_path: Path, journal: Begin) -> None:
    written = journal(tmp_path)
    written.write(opened())
    written.write(job(2, "queued"))
    written.close()
    with written.path.open("ab") as file:
        file.write(b'{"event":"job","time":3,"nu')
    session_log = read(written.path)
    assert session_log is not None
    assert list(session_log.jobs) == [1]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\n", b"[]\n{}\n", b'{"event":"closed","time":1}\n'])
def test_another_file_is_no_journal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(content)
    assert read(path) is None
    assert list(session_logs(tmp_path)) == []


def test_only_its_owner_may_read_it(tmp_path: Path, journal: Begin) -> None:
    before = os.umask(0)
    try:
        written = journal(tmp_path / "new" / "directory")
    finally:
        os.umask(before)
    assert stat.S_IMODE(written.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(written.path.parent.stat().st_mode) == 0o700


def test_two_sessions_of_a_run_have_a_journal_each(tmp_path: Path, journal: Begin) -> None:
    first, second = journal(tmp_path), journal(tmp_path)
    first.write(opened())
    second.write(opened())
    assert first.path != second.path
    assert len(list(session_logs(tmp_path))) == 2


def test_a_journal_that_can_not_be_written_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    reported: list[str] = []
    written = Journal(tmp_path / "file" / "below", "run-1", reported.append)
    written.write(opened())
    written.close()
    [line] = reported
    assert "can't be written (Not a directory)" in line
    assert "journal_dir" in line


def test_no_directory_means_no_stories(tmp_path: Path) -> None:
    assert list(session_logs(tmp_path / "missing")) == []


def test_a_full_disk_hides_no_later_line_and_frees_no_lock(
    tmp_path: Path, journal: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    written = Journal(tmp_path, "run-1", reported.append)
    written.write(opened())
    write = Journal._write

    def half(self: Journal, line: bytes) -> None:
        write(self, line[: len(line) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "_write", half)
    written.write(job(2, "queued"))
    written.write(job(3, "staging"))
    assert is_held(written.path)
    monkeypatch.setattr(Journal, "_write", write)
    written.write(job(4, "submitting"))
    session_log = read(written.path)
    written.close()
    assert session_log is not None
    assert [move.phase for move in session_log.moves[1]] == ["submitting"]
    assert len(reported) == 1


def test_a_sign_of_life_needs_no_room(tmp_path: Path, journal: Begin) -> None:
    written = journal(tmp_path)
    os.utime(written.path, (1.0, 1.0))
    written.touch()
    assert written.path.stat().st_mtime > 1.0
    assert written.path.stat().st_size == 0


def test_a_line_holds_a_jobs_state_without_what_is_no_part_of_the_format() -> None:
    outputs = ("rfm_job.out", "rfm_job.err")
    spec = JobSpec("rfm_t1", "/stage/t1", "rfm_job.sh", outputs, transfer_account="proj")
    handle = JobHandle(spec, number=7)
    handle.state = JobState(
        Phase.RETRIEVING, "42", "FAILED", 3, "nid[001-002]", 1e9, None, elapsed=2.5, error="no space"
    )
    line = JobMoved.of(handle).model_copy(update={"time": 12.5}).model_dump_json()
    assert line == (
        '{"time":12.5,"event":"job","number":7,"name":"rfm_t1","directory":"/stage/t1","phase":"retrieving",'
        '"job_id":"42","state":"FAILED","exit_code":3,"nodes":"nid[001-002]","reason":null,"elapsed":2.5,'
        '"error":"no space","account":"proj"}'
    )
