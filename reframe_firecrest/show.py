"""What a session has to say, in ReFrame's log."""

from __future__ import annotations

from collections.abc import Iterable

from reframe.core.logging import VERBOSE, getlogger


def show(messages: Iterable[tuple[int, str]]) -> None:
    """Log messages: level and text. ReFrame's log context belongs to its own thread, so call it there."""
    for level, text in messages:
        getlogger().log(max(level, VERBOSE), f"[S] {text}")
