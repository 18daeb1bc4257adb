"""Notices a request to end that got lost on its way through ReFrame.

On SIGTERM and SIGHUP, ReFrame (4.10) raises an exception from its signal handler. If that happens while a
log record is written, Python's logging catches it, prints it, and the run goes on; its handler is gone by
then, so that the runner's SIGTERM is never heard of again.
"""

from __future__ import annotations

import signal


def exit_was_requested() -> bool:
    """Tell whether ReFrame's handler has run: it, and nothing else, has further signals ignored."""
    return all(signal.getsignal(number) is signal.SIG_IGN for number in (signal.SIGTERM, signal.SIGINT))
