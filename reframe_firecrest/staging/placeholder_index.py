"""Recognition of placeholders on disk, in any process and for any user.

A placeholder has one of three features:

- An index in the stage directory names it, with the same size and modification time. A file that has replaced
  it differs in one of them.
- It begins with `MARK`. So a copy with another modification time is recognised in any directory.
- If it is too small for the mark, it consists of zeros and has no permissions.

Extended attributes are not used: not every file system supports them, and few programs copy them.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reframe_firecrest.model.atomic import atomic_write

INDEX = ".reframe-firecrest-placeholders.json"
"""Name of the index in the stage directory. It is neither sent nor retrieved."""

MARK = b"reframe-firecrest placeholder 1\n"
"""Beginning of each placeholder that is large enough; the reason follows, cut to the placeholder's size."""

MOST_INDEX = 64 << 20
"""Largest size of an index in bytes; a larger file is ignored."""

UNKNOWN = "the reason is unknown"

DIRECTORY = -1
"""Size of a directory in the index."""


def content_of(reason: str, size: int) -> bytes:
    """Return the beginning of a placeholder's content; the rest is zeros."""
    if size < len(MARK):
        return b""
    return (MARK + f"{reason}\n".encode("utf-8", "surrogateescape"))[:size]


@dataclass(frozen=True)
class Known:
    """Entry of an index.

    Attributes:
        size: size in bytes, or `DIRECTORY`.
        mtime_ns: modification time, in nanoseconds since the epoch.
        reason: reason for which the file stayed on the system.
    """

    size: int
    mtime_ns: int
    reason: str


class Index:
    """Index of the placeholders in one stage directory.

    Args:
        directory: the stage directory.
    """

    def __init__(self, directory: str) -> None:
        self._path = Path(directory, INDEX)
        self._entries = dict(_read(self._path))
        self._changed = False

    def add(self, path: str, reason: str) -> None:
        """Add a placeholder that has been created."""
        info = Path(self._path.parent, path).lstat()
        size = DIRECTORY if stat.S_ISDIR(info.st_mode) else info.st_size
        self._entries[path] = Known(size, info.st_mtime_ns, reason)
        self._changed = True

    def forget(self, paths: Iterable[str]) -> None:
        """Remove the entries of placeholders that have been replaced."""
        for path in paths:
            self._changed |= self._entries.pop(path, None) is not None

    def reason_for(self, path: str, info: os.stat_result) -> str | None:
        """Return the reason for which an entry stayed on the system; None if this index does not name it."""
        known = self._entries.get(path)
        if known is None:
            return None
        if stat.S_ISDIR(info.st_mode):
            return known.reason if known.size == DIRECTORY else None
        return known.reason if (known.size, known.mtime_ns) == (info.st_size, info.st_mtime_ns) else None

    def save(self) -> None:
        """Write the index if it has changed.

        Raises:
            OSError: the index can't be written.
        """
        if not self._changed:
            return
        if self._entries:
            entries = {
                path: {"size": known.size, "mtime_ns": known.mtime_ns, "reason": known.reason}
                for path, known in self._entries.items()
            }
            atomic_write(self._path, json.dumps({"version": 1, "placeholders": entries}, indent=1) + "\n")
        else:
            self._path.unlink(missing_ok=True)
        self._changed = False


def _read(path: Path) -> Iterator[tuple[str, Known]]:
    """Yield the entries of an index; one that can't be read has none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            text = file.read(MOST_INDEX + 1)
        entries: Any = json.loads(text)["placeholders"] if len(text) <= MOST_INDEX else {}
        for name, entry in entries.items():
            size, mtime_ns, reason = entry["size"], entry["mtime_ns"], entry["reason"]
            if isinstance(size, int) and isinstance(mtime_ns, int) and isinstance(reason, str):
                yield name, Known(size, mtime_ns, reason)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return


def mark_of(beginning: bytes) -> str | None:
    """Return the reason in a placeholder's content; None if the content is not a placeholder's."""
    if not beginning.startswith(MARK):
        return None
    reason, newline, _ = beginning[len(MARK) :].partition(b"\n")
    return reason.decode("utf-8", "replace") if newline else UNKNOWN


def reason_of(path: str, info: os.stat_result | None = None) -> str | None:
    """Return the reason for which a file or directory stayed on the system; None if it is no placeholder.

    Args:
        path: absolute path with links resolved.
        info: its status, if known.
    """
    try:
        info = info or os.lstat(path)
    except (OSError, ValueError):
        return None
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        return None
    for parent in Path(path).parents:
        # Testing for existence is cheaper than trying to open the index.
        if os.path.lexists(parent / INDEX):
            found = Index(str(parent)).reason_for(str(Path(path).relative_to(parent)), info)
            if found is not None:
                return found
    return None if stat.S_ISDIR(info.st_mode) else reason_in(path, info)


def reason_in(path: str, info: os.stat_result) -> str | None:
    """Return the reason in a file without permissions; None if it is no placeholder."""
    if stat.S_IMODE(info.st_mode):
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            beginning = file.read(4 * 4096)
    except OSError:
        return None
    if 0 < info.st_size < len(MARK):
        return None if beginning.strip(b"\0") else UNKNOWN
    return mark_of(beginning)
