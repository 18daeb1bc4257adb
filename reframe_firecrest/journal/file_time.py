"""Ages of files by their file system's clock, and support of locks, measured with a temporary file.

A modification time is taken from the file server's clock, which may differ from ours. So a file's age is the
difference between its modification time and that of a new file in the same directory.
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
"""Seconds for which a measurement of a file system is reused."""

TOLERANCE = 60.0
"""Seconds by which a file may be newer than a clock. Beyond that, a clock was set back."""

LOCAL = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""Types of file systems that only one kernel mounts."""

_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class FileSystem:
    """Measurement of a directory's file system.

    Attributes:
        now: time of its clock at the measurement, in seconds since the epoch.
        locks: other processes that open a file see a lock on it.
        local: other machines do not mount it, unless this machine exports it.
        measured: time of the measurement, by `since_boot`.
    """

    now: float
    locks: bool
    local: bool
    measured: float


_measured: dict[Path, FileSystem] = {}


def file_system_of(directory: Path) -> FileSystem | None:
    """Measure a file system; return None if no file can be created in the directory."""
    known = _measured.get(directory)
    if known is not None and since_boot() - known.measured < FRESH:
        return known
    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".probe-") as probe:
            probe.write(b"\n")
            probe.flush()
            now = os.fstat(probe.fileno()).st_mtime
            locks = lock(probe.fileno(), Path(probe.name))
            file_system = FileSystem(now, locks, _type_of(directory) in LOCAL, since_boot())
    except OSError:
        return None
    _measured[directory] = file_system
    return file_system


def age_of(path: Path) -> float | None:
    """Return the seconds since a file was written; None if they can't be measured.

    The smaller of the ages by the file system's clock and by ours counts: a step of one clock ages no file.
    """
    try:
        # NFS revalidates a file's attributes when the file is opened (close-to-open consistency, nfs(5)).
        with path.open("rb") as file:
            written = os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    file_system = file_system_of(path.parent)
    if file_system is None:
        return None
    server_age = file_system.now + since_boot() - file_system.measured - written
    age = min(server_age, time.time() - written)
    return max(age, 0.0) if age > -TOLERANCE else None


def lock(descriptor: int, path: Path) -> bool:
    """Lock an open file; return whether other processes that open it see the lock.

    Some file systems refuse locks, and others accept them without effect.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return is_held(path) is True


def is_held(path: Path) -> bool | None:
    """Return whether a process holds the lock on a file; None if unknown."""
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
    resolved = directory.resolve()
    deepest, kind = 0, ""
    try:
        for line in _MOUNTS.read_text(errors="replace").splitlines():
            mount, _, rest = line.partition(" - ")
            point = Path(mount.split()[4].encode().decode("unicode_escape"))
            if resolved.is_relative_to(point):
                # The later of two mounts on the same directory hides the earlier one.
                depth = len(point.parts)
                deepest, kind = (depth, rest.split()[0]) if depth >= deepest else (deepest, kind)
    except (OSError, ValueError, IndexError):
        return ""
    return kind
