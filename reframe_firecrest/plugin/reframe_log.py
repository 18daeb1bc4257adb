"""Forward this package's log records to ReFrame's log."""

from __future__ import annotations

import atexit
import logging

from reframe.core.logging import VERBOSE, getlogger

from reframe_firecrest.session.log_queue import LOGS, Message


def capture_logs() -> None:
    """Queue this package's log records from now on; `flush_logs` forwards them.

    Call it before a session is made: at the end of the process, sessions are closed first, and what they log
    then is forwarded last.
    """
    if LOGS.start():
        # Only once: of two sessions, both are closed before it.
        atexit.register(_flush_at_exit)


def release_logs() -> None:
    """Leave the loggers as Python makes them."""
    atexit.unregister(_flush_at_exit)
    LOGS.stop()


def flush_logs() -> None:
    """Log what is queued. ReFrame's log context belongs to its main thread, so call it there."""
    for message in LOGS.take():
        _log(message)


def _flush_at_exit() -> None:
    """Print warnings to standard error; ReFrame's summary has been printed by then."""
    for level, text in LOGS.take():
        if level >= logging.WARNING:
            LOGS.print_warning(text)
        else:
            _log((level, text))


def _log(message: Message) -> None:
    level, text = message
    getlogger().log(max(level, VERBOSE), f"[S] {text}")
