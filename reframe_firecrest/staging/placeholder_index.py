"""Recognition of placeholders on disk, by any process and whoever it runs as.

A placeholder is known by one of three things:

- An index in the stage directory names it, and its size and modification time agree. A file that was put in
  its place has others.
- It begins with a mark of its own. So a copy that has lost its time is recognised too, wherever it lies.
- Where the mark does not fit, it consists of zeros and has no permissions.

No extended attributes are used: not every file system has them, and few programs copy them.
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
"""Name of the index, in the stage directory. It is neither sent nor fetched."""

MARK = b"reframe-firecrest placeholder 1\n"
"""Beginning of each placeholder that has room for it; the reason follows, as far as there is room."""

MOST_INDEX = 64 << 20
"""Bytes of an index; a larger one is none."""

UNKNOWN = "its reason is not known any more"

DIRECTORY = -1
"""Size that marks a directory in the index: its entries are not known."""


def content_of(reason: str, size: int) -> bytes:
    """Return the beginning of a placeholder; zeros follow up to its size."""
    if size < len(MARK):
        return b""
    return (MARK + f"{reason}\n".encode("utf-8", "surrogateescape"))[:size]


@dataclass(frozen=True)
class Known:
    """An entry of an index.

    Attributes:
        size: bytes, or `DIRECTORY`.
        mtime_ns: modification time, in nanoseconds since the epoch.
        reason: why the file stayed on the system.
    """

    size: int
    mtime_ns: int
    reason: str


class Index:
    """The placeholders of one stage directory.

    Args:
        directory: the stage directory.
    """

    def __init__(self, directory: str) -> None:
        self._path = Path(directory, INDEX)
        self._entries = dict(_read(self._path))
        self._changed = False

    def add(self, path: str, reason: str) -> None:
        """Note a placeholder that has been made."""
        info = Path(self._path.parent, path).lstat()
        size = DIRECTORY if stat.S_ISDIR(info.st_mode) else info.st_size
        self._entries[path] = Known(size, info.st_mtime_ns, reason)
        self._changed = True

    def forget(self, paths: Iterable[str]) -> None:
        """Remove entries: something else is in their places."""
        for path in paths:
            self._changed |= self._entries.pop(path, None) is not None

    def reason_for(self, path: str, info: os.stat_result) -> str | None:
        """Return why a file or directory stayed on the system; None if it is no placeholder of this index."""
        known = self._entries.get(path)
        if known is None:
            return None
        if stat.S_ISDIR(info.st_mode):
            return known.reason if known.size == DIRECTORY else None
        return known.reason if (known.size, known.mtime_ns) == (info.st_size, info.st_mtime_ns) else None

    def save(self) -> None:
        """Write the index, if it has changed.

        Raises:
            OSError: it can't be written.
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
    """Yield what an index holds; one that can't be read holds nothing."""
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
    """Return the reason that a placeholder's content gives; None if it is no placeholder's."""
    if not beginning.startswith(MARK):
        return None
    reason, newline, _ = beginning[len(MARK) :].partition(b"\n")
    return reason.decode("utf-8", "replace") if newline else UNKNOWN


def reason_of(path: str, info: os.stat_result | None = None) -> str | None:
    """Return why a file or directory stayed on the system; None if it is no placeholder.

    Args:
        path: absolute, without links.
        info: its state, if known already.
    """
    try:
        info = info or os.lstat(path)
    except (OSError, ValueError):
        return None
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        return None
    for parent in Path(path).parents:
        # A look whether it exists is cheaper than an attempt to open it.
        if os.path.lexists(parent / INDEX):
            found = Index(str(parent)).reason_for(str(Path(path).relative_to(parent)), info)
            if found is not None:
                return found
    return None if stat.S_ISDIR(info.st_mode) else reason_in(path, info)


def reason_in(path: str, info: os.stat_result) -> str | None:
    """Return the reason that a file without permissions gives itself; None if it is no placeholder."""
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
