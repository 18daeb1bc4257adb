"""Write a journal."""

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
    """An append-only file that only its owner may read.

    A journal that can't be written causes one warning and fails no test. The file stays open and locked even
    then, because its lock shows that the process is alive.

    Args:
        directory: directory of the file; created if it does not exist.
        name: name of the file, without the suffix.
        warn: receives a warning of one line.

    Attributes:
        path: the file.
        locked: the kernel holds a lock on the file until this process ends, and other processes see it. Some
            file systems do not support locks.
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
        """Append a line. It survives a crash of the process, but not of the machine (no fsync)."""
        if self._file is None:
            return
        line = _line(event)
        try:
            self._write(b"\n" + line if self._torn else line)
        except OSError as error:
            # A full disk may have space for the next line.
            self._torn = True
            self._warn_of(error)
        else:
            self._torn = False

    def _write(self, line: bytes) -> None:
        if self._file is not None and self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def touch(self) -> None:
        """Update the file's modification time: a heartbeat that needs no disk space."""
        if self._file is not None:
            with suppress(OSError):
                os.utime(self._file.fileno())

    def _warn_of(self, error: OSError) -> None:
        if self._warned:
            return
        self._warned = True
        self._warn(
            f"the journal {self.path} can't be written ({error.strerror or error}): after a crash, "
            "'reframe-firecrest clean' will not know this run; set 'journal_dir' to a writable directory"
        )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(event: Event) -> bytes:
    """Return an event's line; bytes of names that are not text are escaped, because JSON is Unicode."""
    try:
        return event.model_dump_json().encode() + b"\n"
    except ValueError:
        texts = {key: value for key, value in event.model_dump().items() if isinstance(value, str)}
        escaped = {key: value.encode("utf-8", "backslashreplace").decode() for key, value in texts.items()}
        return event.model_copy(update=escaped).model_dump_json().encode() + b"\n"


def add(path: Path, events: Iterable[Event]) -> None:
    """Append lines to the journal of a run that has ended.

    Raises:
        OSError: it can't be written.
    """
    with path.open("r+b") as file:
        content = file.read()
        # The last line of a killed run may be incomplete.
        torn = b"\n" if content and not content.endswith(b"\n") else b""
        file.write(torn + b"".join(map(_line, events)))
