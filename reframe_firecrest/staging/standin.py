"""Stand-ins for files that stay on the system.

A check may ask whether a file exists, and how large it is; that a stand-in can answer. A check that reads
it must fail and say why, instead of passing on a file of zeros. So opening one for reading raises, whoever
in this process does it: Python tells every opening of a file to its audit hooks before it happens.
"""

from __future__ import annotations

import errno
import os
import secrets
import sys
import threading
from pathlib import Path

from reframe_firecrest.staging.unpack import safe_directory

_reasons: dict[str, str] = {}
_lock = threading.Lock()
_watching: list[bool] = []


def place_stand_in(directory: str, path: str, size: int, reason: str) -> None:
    """Put a stand-in where a file would have been brought.

    Args:
        directory: the stage directory, absolute.
        path: relative to it.
        size: bytes that the file has on the system; the stand-in shows the same and takes no room.
        reason: what a reader is told.

    Raises:
        HostileArchiveError: its place leads out of the stage directory.
        OSError: it can't be made.
    """
    parent = safe_directory(directory, os.path.dirname(path))  # noqa: PTH120 - a relative path as text
    target = parent / os.path.basename(path)  # noqa: PTH119 - see above
    partial = parent / f".{secrets.token_hex(8)}.part"
    try:
        with partial.open("xb") as file:
            file.truncate(size)
            # Keeps other programs from reading zeros, unless they are root's.
            os.fchmod(file.fileno(), 0)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    with _lock:
        _reasons[str(target)] = reason
        if not _watching:
            _watching.append(True)
            # A hook can't be taken off again, so it is only set where there is something to guard.
            sys.addaudithook(_guard)


def forget(path: Path) -> None:
    """Let a file be read again: the real one is there now."""
    with _lock:
        _reasons.pop(str(path), None)


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not _reasons:
        return
    path, mode, flags = arguments
    writes_only = isinstance(flags, int) and flags & os.O_ACCMODE == os.O_WRONLY
    if not isinstance(path, str | bytes | os.PathLike) or (mode is None and writes_only):
        return
    name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - no Path in a hook that every open calls
    reason = _reasons.get(name)
    if reason is not None and not writes_only:
        raise PermissionError(errno.EACCES, f"this file was left on the system: {reason}", name)
