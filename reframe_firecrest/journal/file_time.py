"""Ages of files by the clock of their file system, and its locks, tried on a file made for that.

A file server has a clock of its own, and a file's modification time is that clock's. So the age of a file is
the difference to the modification time of a new file beside it.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.model.clock import since_boot

FRESH = 5.0
"""Seconds for which a look at a file system is used again."""


TOLERANCE = 60.0
"""Seconds by which a file may be ahead of a clock until its age counts as unknown: a clock was set back."""

LOCAL = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""Types of file systems that one kernel has for itself."""

_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class FileSystem:
    """A look at the file system of a directory.

    Attributes:
        now: its clock, in seconds since the epoch, when it was looked at.
        locks: a lock on a file is seen by others that open it.
        local: no other machine has it, unless this one serves it.
        looked: when that was, by `since_boot`.
    """

    now: float
    locks: bool
    local: bool
    looked: float


_looks: dict[Path, FileSystem] = {}


def file_system_of(directory: Path) -> FileSystem | None:
    """Look at a file system; None if no file can be made in the directory."""
    known = _looks.get(directory)
    if known is not None and since_boot() - known.looked < FRESH:
        return known
    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".look-") as probe:
            probe.write(b"\n")
            probe.flush()
            now = os.fstat(probe.fileno()).st_mtime
            locks = lock(probe.fileno(), Path(probe.name))
            found = FileSystem(now, locks, _type_of(directory) in LOCAL, since_boot())
    except OSError:
        return None
    _looks[directory] = found
    return found


def age_of(path: Path) -> float | None:
    """Return the seconds since a file was written; None if they can't be measured.

    A step of one clock must not age a file: the lesser of its ages by the file system's and by our clock
    counts.
    """
    try:
        # Opening it makes a network file system ask its server for the attributes (close-to-open, nfs(5)).
        with path.open("rb") as file:
            written = os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    found = file_system_of(path.parent)
    if found is None:
        return None
    there = found.now + since_boot() - found.looked - written
    age = min(there, time.time() - written)
    return max(age, 0.0) if age > -TOLERANCE else None


def lock(descriptor: int, path: Path) -> bool:
    """Lock an open file; return whether others that open it see that.

    Some file systems have no locks, others accept them and do nothing.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return is_held(path) is True


def is_held(path: Path) -> bool | None:
    """Tell whether a process holds the lock on a file; None if that is not known."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _type_of(directory: Path) -> str:
    """Return the type of a directory's file system; empty if it can't be read (proc(5), mountinfo)."""
    place = directory.resolve()
    deepest, kind = 0, ""
    try:
        for line in _MOUNTS.read_text(errors="replace").splitlines():
            mount, _, rest = line.partition(" - ")
            point = Path(mount.split()[4].encode().decode("unicode_escape"))
            if place.is_relative_to(point):
                # Of two mounts at one place, the later one counts.
                depth = len(point.parts)
                deepest, kind = (depth, rest.split()[0]) if depth >= deepest else (deepest, kind)
    except (OSError, ValueError, IndexError):
        return ""
    return kind
