"""Writes a journal."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from reframe_firecrest.journal.events import Event
from reframe_firecrest.journal.file_time import lock

SUFFIX = ".jsonl"


class Journal:
    """A file that only its owner may read, to which lines are added.

    No test fails for want of a journal: what can't be written is warned of once. The file stays open and
    locked all the same, because its lock shows that the process lives.

    Args:
        directory: where it lies; made if it isn't there.
        name: what it is called, without its suffix.
        warn: told of what goes wrong, in one line.

    Attributes:
        path: the file.
        locked: the kernel holds a lock on it for as long as this process lives, however that ends, and shows
            it to others. Some file systems have no locks.
    """

    def __init__(self, directory: Path, name: str, warn: Callable[[str], None]) -> None:
        self.path = directory / f"{name}{SUFFIX}"
        self.locked = False
        self._warn = warn
        self._file: BinaryIO | None = None
        self._warned = self._torn = False
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self._create(directory, name)
        except OSError as error:
            self._warn_of(error)
        else:
            self.locked = lock(self._file.fileno(), self.path)

    def _create(self, directory: Path, name: str) -> BinaryIO:
        number = 1
        while True:
            try:
                descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                # Another session of the same run.
                number += 1
                self.path = directory / f"{name}-{number}{SUFFIX}"
            else:
                return os.fdopen(descriptor, "wb", buffering=0)

    def write(self, event: Event) -> None:
        """Add a line. It survives the process, not the machine."""
        if self._file is None:
            return
        line = _line(event)
        try:
            self._write(b"\n" + line if self._torn else line)
        except OSError as error:
            # A disk that is full now may have room for the next line.
            self._torn = True
            self._warn_of(error)
        else:
            self._torn = False

    def _write(self, line: bytes) -> None:
        if self._file is not None and self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def touch(self) -> None:
        """Show a sign of life that needs no room on the disk: the file's modification time."""
        if self._file is not None:
            with suppress(OSError):
                os.utime(self._file.fileno())

    def _warn_of(self, error: OSError) -> None:
        if self._warned:
            return
        self._warned = True
        self._warn(
            f"the journal {self.path} can't be written ({error.strerror or error}): after a crash, "
            "'reframe-firecrest clean' will not know this run; see 'journal_dir'"
        )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(event: Event) -> bytes:
    """Return an event's line; names that are no text are escaped, since JSON can't hold them."""
    try:
        return event.model_dump_json().encode() + b"\n"
    except ValueError:
        texts = {key: value for key, value in event.model_dump().items() if isinstance(value, str)}
        whole = {key: value.encode("utf-8", "backslashreplace").decode() for key, value in texts.items()}
        return event.model_copy(update=whole).model_dump_json().encode() + b"\n"


def add(path: Path, events: Iterable[Event]) -> None:
    """Add lines to the journal of a run that is over.

    Raises:
        OSError: it can't be written.
    """
    with path.open("r+b") as file:
        content = file.read()
        # The last line of a killed run may be torn.
        torn = b"\n" if content and not content.endswith(b"\n") else b""
        file.write(torn + b"".join(map(_line, events)))
