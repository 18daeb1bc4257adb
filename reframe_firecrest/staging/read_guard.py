"""Keeps placeholders from being read unawares.

A check that reads a file which stayed on the system must fail and say why, instead of passing on a file of
zeros. So opening a placeholder for reading raises, whatever code of this process does it: Python reports
every opening of a file to its audit hooks before it happens.

Placeholders that this process has made are known by name. Those of other processes have no permissions, so
only such files are looked at more closely.
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
    """Have every reading of a file, or listing of a directory, raise.

    Args:
        path: of the file or directory; if it is a link, the link itself is meant.
        reason: what a reader is told.
    """
    with _lock:
        _reasons[_place(path)] = one_line(reason)
    arm()


def arm() -> None:
    """Watch what this process reads: there may be placeholders of other processes."""
    with _lock:
        if not _watching:
            _watching.append(True)
            # A hook can't be taken off again, so it is only set where there may be something to guard.
            sys.addaudithook(_audit_hook)


def forget(path: Path) -> None:
    """Let a file be read again: the real one is in its place now."""
    if not _reasons:
        return
    with _lock:
        _reasons.pop(_place(path), None)


@contextmanager
def unguarded() -> Iterator[None]:
    """Let this thread read placeholders: it looks after them."""
    before = getattr(_own, "work", False)
    _own.work = True
    try:
        yield
    finally:
        _own.work = before


def _place(path: Path) -> str:
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
        told = f"this file was left on the system: {reason}"
        if is_listing:
            told = f"this directory was left on the system: {reason}"
        raise PermissionError(errno.EACCES, told, name)


def _reason_for(path: str, *, is_listing: bool) -> tuple[str, str] | None:
    """Return a placeholder's own name and the reason for it; None if there is none under a path."""
    try:
        info = os.stat(path)  # noqa: PTH116 - quicker, and this is called for every file that is opened
    except (OSError, ValueError):
        return None
    # A placeholder may be read by way of a link.
    if _reasons:
        name = os.path.realpath(path)
        if name in _reasons and stat.S_ISDIR(info.st_mode) == is_listing:
            return name, _reasons[name]
    may_be = stat.S_ISDIR(info.st_mode) if is_listing else not stat.S_IMODE(info.st_mode)
    if not may_be:
        return None
    name = os.path.realpath(path)
    reason = reason_of(name, info)
    return None if reason is None else (name, one_line(reason))
