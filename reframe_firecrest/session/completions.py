"""Signal from sessions to ReFrame's thread that a job has ended."""

from __future__ import annotations

import threading

_ended = threading.Event()


def note_end() -> None:
    """Note that a job has ended; on any thread."""
    _ended.set()


def wait_for_end(seconds: float) -> bool:
    """Wait until a job has ended since the last call, or for some seconds; return true if one has."""
    ended = _ended.wait(seconds)
    _ended.clear()
    return ended
