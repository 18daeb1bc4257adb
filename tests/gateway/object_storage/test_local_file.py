from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reframe_firecrest.gateway.object_storage.local_file import arriving, departing
from reframe_firecrest.model import errors
from tests.gateway.helpers import run

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_room(*_: object) -> int:
    raise FULL


def test_what_is_written_anywhere_is_read_from_there(tmp_path: Path) -> None:
    async def work() -> bytes:
        with arriving(tmp_path / "file") as file:
            await asyncio.gather(file.write(b"world", 6), file.write(bytearray(b"hello,"), 0))
        with departing(tmp_path / "file") as file:
            assert await file.read(5, 6) == b"world"
            assert await file.read(5, 11) == b""
            return await file.read(100, 4)

    assert run(work()) == b"o,world"


def test_a_disk_that_takes_and_gives_little_at_a_time_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pread, pwrite = os.pread, os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, content, at: pwrite(fd, content[:2], at))
    monkeypatch.setattr(os, "pread", lambda fd, size, at: pread(fd, min(size, 3), at))

    async def work() -> bytes:
        with arriving(tmp_path / "file") as file:
            await file.write(b"in small steps", 0)
            return await file.read(100, 0)

    assert run(work()) == b"in small steps"


def test_a_file_appears_when_all_of_it_is_there(tmp_path: Path) -> None:
    async def work() -> None:
        with arriving(tmp_path / "file") as file:
            await file.write(b"all of it", 0)
            assert not (tmp_path / "file").exists()
            assert len(list(tmp_path.iterdir())) == 1

    run(work())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"all of it"


@pytest.mark.parametrize("failure", [ValueError("x"), asyncio.CancelledError(), KeyboardInterrupt()])
def test_a_file_that_does_not_arrive_leaves_nothing_but_the_one_before(
    tmp_path: Path, failure: BaseException
) -> None:
    (tmp_path / "file").write_bytes(b"before")

    def work() -> None:
        with arriving(tmp_path / "file"):
            raise failure

    with pytest.raises(type(failure)):
        work()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_a_thread_that_was_given_up_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite, busy, go_on = os.pwrite, threading.Event(), threading.Event()
    written: list[int] = []

    def slow(descriptor: int, content: bytes, at: int) -> int:
        busy.set()
        assert go_on.wait(10)
        written.append(os.fstat(descriptor).st_ino)
        return pwrite(descriptor, content, at)

    monkeypatch.setattr(os, "pwrite", slow)

    async def work() -> int:
        with arriving(tmp_path / "file") as file:
            inode = next(tmp_path.iterdir()).stat().st_ino
            tasks = [asyncio.create_task(file.write(b"x", at)) for at in (0, 1)]
            await asyncio.to_thread(busy.wait, 10)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            go_on.set()
        return inode

    inode = run(work())
    # One thread was in the middle and has ended in time; the other finds the file closed.
    assert set(written) <= {inode}


@pytest.mark.parametrize("opened", [arriving, departing])
def test_a_file_that_cannot_be_opened_is_reported(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    with (
        pytest.raises(errors.FinalError, match=r"nowhere/file on this machine: No such file or directory"),
        opened(tmp_path / "nowhere" / "file"),  # type: ignore[attr-defined] # both are context managers
    ):
        pass


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", no_room)

    async def work() -> None:
        with arriving(tmp_path / "file") as file:
            await file.write(b"x", 0)

    with pytest.raises(errors.FinalError, match=r"file on this machine: No space left on device"):
        run(work())
    assert not list(tmp_path.iterdir())


def test_what_a_disk_refuses_at_the_end_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.FinalError, match="No space left on device"), arriving(tmp_path / "file"):
        monkeypatch.setattr(os, "close", no_room)
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())
