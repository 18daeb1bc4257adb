"""Files on this machine, read and written at positions by threads, so that nobody waits for the disk."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from reframe_firecrest.model import errors
from reframe_firecrest.model.atomic import atomic_file

RESERVE = 256 << 20
"""Bytes that are left free on a disk, where that is no more than a part of it: a full disk harms others."""

RESERVED_PART = 20
"""The reserve is at most the disk's size divided by this."""


SMALL = 16 << 20
"""Bytes of each file that may go into the reserve: a nearly full disk is good enough for small files."""


class OpenFile:
    """An open file without a current position, so that several can work on it at a time.

    Args:
        descriptor: the operating system's; it is closed by `close`.
        name: for messages.
    """

    def __init__(self, descriptor: int, name: Path) -> None:
        self._descriptor = descriptor
        self.name = name
        # A thread goes on when the task that waits for it is cancelled. Were the file closed meanwhile, the
        # descriptor could be another file's by the time the thread comes to use it.
        self._lock = threading.Lock()
        self._closed = False

    async def read(self, size: int, position: int) -> bytes:
        """Read up to `size` bytes; less only at the end of the file.

        Raises:
            FinalError: the disk does not give them.
        """
        return await asyncio.to_thread(self._read, size, position)

    async def write(self, content: bytes | bytearray, position: int) -> None:
        """Write all of `content`.

        Raises:
            FinalError: the disk does not take it.
        """
        await asyncio.to_thread(self._write, content, position)

    async def truncate(self) -> None:
        """Throw away what has been written.

        Raises:
            FinalError: the disk does not allow it.
        """
        await asyncio.to_thread(self._truncate)

    def close(self) -> None:
        """Close the file as soon as no thread works on it.

        Raises:
            FinalError: what was written did not reach the disk.
        """
        with self._told(), self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)

    def _read(self, size: int, position: int) -> bytes:
        pieces: list[bytes] = []
        with self._told(), self._used():
            while size and (piece := os.pread(self._descriptor, size, position)):
                pieces.append(piece)
                size, position = size - len(piece), position + len(piece)
        return b"".join(pieces)

    def _write(self, content: bytes | bytearray, position: int) -> None:
        rest = memoryview(content)
        with self._told(), self._used():
            if position + len(rest) > SMALL:
                self._expect_room(len(rest))
            while rest:
                written = os.pwrite(self._descriptor, rest, position)
                rest, position = rest[written:], position + written

    def _expect_room(self, size: int) -> None:
        disk = os.fstatvfs(self._descriptor)
        reserve = min(RESERVE, disk.f_blocks * disk.f_frsize // RESERVED_PART)
        if disk.f_bavail * disk.f_frsize - size < reserve:
            raise errors.FinalError(
                f"{self.name} on this machine: its disk would have less than {reserve >> 20} MiB left; "
                "free space there"
            )

    def _truncate(self) -> None:
        with self._told(), self._used():
            os.ftruncate(self._descriptor, 0)

    @contextmanager
    def _used(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            yield

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise errors.FinalError(f"{self.name} on this machine: {error.strerror or error}") from None


@contextmanager
def departing(path: Path) -> Iterator[OpenFile]:
    """Open a file to be read.

    Raises:
        FinalError: it can't be.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise errors.FinalError(f"{path} on this machine: {error.strerror}") from None
    file = OpenFile(descriptor, path)
    try:
        yield file
    finally:
        file.close()


@contextmanager
def arriving(target: Path) -> Iterator[OpenFile]:
    """Open a new file beside `target`, which takes its place if nothing goes wrong and is removed otherwise.

    Raises:
        FinalError: no file can be made there.
    """
    with ExitStack() as stack:
        try:
            written = stack.enter_context(atomic_file(target, 0o600))
        except OSError as error:
            raise errors.FinalError(f"{target} on this machine: {error.strerror}") from None
        file = OpenFile(os.dup(written.fileno()), target)
        try:
            yield file
        except BaseException:
            with suppress(errors.FinalError):
                file.close()
            raise
        file.close()
