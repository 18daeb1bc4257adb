"""Keeps stand-ins from being read unawares.

A check that reads a file which stayed on the system must fail and say why, instead of passing on a file of
zeros. So opening a stand-in for reading raises, whoever in this process does it: Python tells every opening
of a file to its audit hooks before it happens.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path

from reframe_firecrest.errors import one_line

_reasons: dict[str, str] = {}
_lock = threading.Lock()
_watching: list[bool] = []


def protect(path: Path, reason: str) -> None:
    """Have every reading of a file raise.

    Args:
        path: of the file; that it is a link to one is not looked at.
        reason: what a reader is told.
    """
    with _lock:
        _reasons[_place(path)] = one_line(reason)
        if not _watching:
            _watching.append(True)
            # A hook can't be taken off again, so it is only set where there is something to guard.
            sys.addaudithook(_guard)


def forget(path: Path) -> None:
    """Let a file be read again: the real one is there now."""
    if not _reasons:
        return
    with _lock:
        _reasons.pop(_place(path), None)


def _place(path: Path) -> str:
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - what realpath returns


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not _reasons:
        return
    path, _, flags = arguments
    writes_only = isinstance(flags, int) and flags & os.O_ACCMODE == os.O_WRONLY
    if writes_only or not isinstance(path, str | bytes | os.PathLike):
        return
    # A stand-in may be read by way of a link.
    name = os.path.realpath(os.fsdecode(path))
    reason = _reasons.get(name)
    if reason is not None:
        raise PermissionError(errno.EACCES, f"this file was left on the system: {reason}", name)
