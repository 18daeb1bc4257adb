"""Local files, read and written at positions in threads, so that the event loop never waits for the disk."""

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
"""Bytes to leave free on a disk, but at most a fraction of it: a full disk affects other processes."""

RESERVED_PART = 20
"""The reserve is at most the disk's size divided by this number."""


SMALL = 16 << 20
"""Bytes of each file that may use the reserve, so that small files fit on a nearly full disk."""


class OpenFile:
    """An open file without a current position, for concurrent access.

    Args:
        descriptor: of the operating system; `close` closes it.
        name: for messages.
    """

    def __init__(self, descriptor: int, name: Path) -> None:
        self._descriptor = descriptor
        self.name = name
        # A thread continues after the task that waits for it is cancelled. If the file were closed meanwhile,
        # the descriptor could belong to another file when the thread uses it.
        self._lock = threading.Lock()
        self._closed = False

    async def read(self, size: int, position: int) -> bytes:
        """Read up to `size` bytes; fewer only at the end of the file.

        Raises:
            FinalError: the read failed.
        """
        return await asyncio.to_thread(self._read, size, position)

    async def write(self, content: bytes | bytearray, position: int) -> None:
        """Write all of `content`.

        Raises:
            FinalError: the write failed.
        """
        await asyncio.to_thread(self._write, content, position)

    async def truncate(self) -> None:
        """Truncate the file to no bytes.

        Raises:
            FinalError: the truncation failed.
        """
        await asyncio.to_thread(self._truncate)

    def close(self) -> None:
        """Close the file as soon as no thread uses it.

        Raises:
            FinalError: written data did not reach the disk.
        """
        with self._translated(), self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)

    def _read(self, size: int, position: int) -> bytes:
        pieces: list[bytes] = []
        with self._translated(), self._used():
            while size and (piece := os.pread(self._descriptor, size, position)):
                pieces.append(piece)
                size, position = size - len(piece), position + len(piece)
        return b"".join(pieces)

    def _write(self, content: bytes | bytearray, position: int) -> None:
        rest = memoryview(content)
        with self._translated(), self._used():
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
        with self._translated(), self._used():
            os.ftruncate(self._descriptor, 0)

    @contextmanager
    def _used(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise errors.FinalError(f"{self.name} on this machine: {error.strerror or error}") from None


@contextmanager
def departing(path: Path) -> Iterator[OpenFile]:
    """Open a file for reading.

    Raises:
        FinalError: it cannot be opened.
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
    """Open a new file beside `target`, which replaces it on success and is removed otherwise.

    Raises:
        FinalError: it cannot be created.
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
