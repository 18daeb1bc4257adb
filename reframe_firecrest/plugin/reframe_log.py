"""What a session has to say, in ReFrame's log."""

from __future__ import annotations

from collections.abc import Iterable

from reframe.core.logging import VERBOSE, getlogger

from reframe_firecrest.model.errors import one_line


def log_messages(messages: Iterable[tuple[int, str]]) -> None:
    """Log messages: level and text. ReFrame's log context belongs to its own thread, so call it there."""
    for level, text in messages:
        # They name files and jobs of the remote side.
        getlogger().log(max(level, VERBOSE), f"[S] {one_line(text)}")
