"""Protection of placeholders from being read by mistake.

A check that reads a file which stayed on the system must fail with the reason, instead of passing on zeros.
So opening a placeholder for reading raises an error in all code of this process: Python calls its audit hooks
before it opens a file (PEP 578).

The placeholders that this process has created are known by name. Those of other processes have no
permissions, so only files without permissions are examined.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reframe_firecrest.model.errors import one_line
from reframe_firecrest.staging.placeholder_index import reason_of

_reasons: dict[str, str] = {}
_lock = threading.Lock()
_watching: list[bool] = []
_own = threading.local()

_LISTINGS = ("os.listdir", "os.scandir")


def protect(path: Path, reason: str) -> None:
    """Make reading a file, or listing a directory, raise an error.

    Args:
        path: path of the file or directory; a link is not followed.
        reason: reason in the error's message.
    """
    with _lock:
        _reasons[_resolved(path)] = one_line(reason)
    arm()


def arm() -> None:
    """Install the audit hook, also for placeholders that other processes have created."""
    with _lock:
        if not _watching:
            _watching.append(True)
            # An audit hook can't be removed, so it is installed only when it may be needed.
            sys.addaudithook(_audit_hook)


def forget(path: Path) -> None:
    """Allow reading a file again after the real one has replaced the placeholder."""
    if not _reasons:
        return
    with _lock:
        _reasons.pop(_resolved(path), None)


@contextmanager
def unguarded() -> Iterator[None]:
    """Allow this thread to read placeholders within the block."""
    before = getattr(_own, "work", False)
    _own.work = True
    try:
        yield
    finally:
        _own.work = before


def _resolved(path: Path) -> str:
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - what realpath returns


def _audit_hook(event: str, arguments: tuple[object, ...]) -> None:
    if getattr(_own, "work", False):
        return
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & os.O_ACCMODE == os.O_WRONLY:
            return
        is_listing = False
    elif event in _LISTINGS:
        path, is_listing = arguments[0], True
    else:
        return
    if not isinstance(path, str | bytes | os.PathLike):
        return
    with unguarded():
        found = _reason_for(os.fsdecode(path), is_listing=is_listing)
    if found is not None:
        name, reason = found
        message = f"this file was left on the system: {reason}"
        if is_listing:
            message = f"this directory was left on the system: {reason}"
        raise PermissionError(errno.EACCES, message, name)


def _reason_for(path: str, *, is_listing: bool) -> tuple[str, str] | None:
    """Return the resolved name and the reason of the placeholder at a path; None if it is no placeholder."""
    try:
        info = os.stat(path)  # noqa: PTH116 - faster, and called for every file that is opened
    except (OSError, ValueError):
        return None
    # A placeholder may be read through a link.
    if _reasons:
        name = os.path.realpath(path)
        if name in _reasons and stat.S_ISDIR(info.st_mode) == is_listing:
            return name, _reasons[name]
    possible = stat.S_ISDIR(info.st_mode) if is_listing else not stat.S_IMODE(info.st_mode)
    if not possible:
        return None
    name = os.path.realpath(path)
    reason = reason_of(name, info)
    return None if reason is None else (name, one_line(reason))
