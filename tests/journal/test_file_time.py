"""Ages by the file system's clock, and locks that are tried before they are believed."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from reframe_firecrest.journal import file_time
from reframe_firecrest.journal.file_time import age_of, file_system_of


@pytest.fixture(autouse=True)
def forget_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_time, "_measured", {})


def written(directory: Path, ago: float) -> Path:
    path = directory / "run.jsonl"
    path.touch()
    os.utime(path, (time.time() - ago,) * 2)
    return path


def test_a_file_is_as_old_as_its_file_system_says(tmp_path: Path) -> None:
    age = age_of(written(tmp_path, 3600))
    assert age is not None
    assert 3599 < age < 3700
    assert list(tmp_path.iterdir()) == [tmp_path / "run.jsonl"]


@pytest.mark.parametrize("ahead", [3600.0, 86_400.0])
def test_our_clock_alone_ages_no_file(ahead: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, now = written(tmp_path, 10), time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    age = age_of(path)
    assert age is not None
    assert age < 100


def test_the_file_systems_clock_alone_ages_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, 10)
    found = file_system_of(tmp_path)
    assert found is not None
    ahead = file_time.FileSystem(found.now + 86_400, found.locks, found.local, found.measured)
    monkeypatch.setattr(file_time, "_measured", {tmp_path: ahead})
    age = age_of(path)
    assert age is not None
    assert age < 100


def test_a_file_from_the_future_has_no_age(tmp_path: Path) -> None:
    assert age_of(written(tmp_path, -86_400)) is None


def test_where_no_file_can_be_made_or_read_there_is_no_age(tmp_path: Path) -> None:
    assert file_system_of(tmp_path / "missing") is None
    assert age_of(tmp_path / "missing") is None
    assert age_of(Path("/proc/self/status")) is None


def test_locks_that_do_nothing_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = file_system_of(tmp_path)
    assert found is not None
    assert found.locks
    monkeypatch.setattr(file_time, "_measured", {})
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    found = file_system_of(tmp_path)
    assert found is not None
    assert not found.locks


def test_the_type_of_a_file_system_is_read_of_the_innermost_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        f"2 1 0:5 / {str(tmp_path).replace('t', chr(92) + '164', 1)} rw shared:1 - nfs4 server:/ rw\n"
        "3 1 0:6 / /other rw - tmpfs none rw\n"
        "torn"
    )
    monkeypatch.setattr(file_time, "_MOUNTS", mounts)
    assert file_time._type_of(tmp_path) == ""
    mounts.write_text(mounts.read_text().removesuffix("torn"))
    assert file_time._type_of(tmp_path) == "nfs4"
    assert file_time._type_of(Path("/")) == "ext4"
