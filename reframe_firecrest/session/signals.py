"""Requests to end: the one that gets lost on its way through ReFrame, and the second Ctrl-C.

On SIGTERM and SIGHUP, ReFrame (4.10) raises an exception from its signal handler. If that happens while a
log record is written, Python's logging catches it, prints it, and the run goes on; its handler is gone by
then, so that the runner's SIGTERM is never heard of again.

Ctrl-C is left to Python: KeyboardInterrupt is raised, wherever ReFrame is just then. A second one may hit
the writing of the report, and whoever waits at the end of the process would never hear of it; so they are
counted.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

_interrupts = 0


def exit_was_requested() -> bool:
    """Tell whether ReFrame's handler has run: it, and nothing else, has further signals ignored."""
    return all(signal.getsignal(number) is signal.SIG_IGN for number in (signal.SIGTERM, signal.SIGINT))


def count_interrupts() -> None:
    """Count each Ctrl-C from now on, where Python's own handler would take it."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    if on_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)


def _interrupted(number: int, frame: FrameType | None) -> None:
    global _interrupts  # noqa: PLW0603 - a signal is the process's, and so is the count
    _interrupts += 1
    signal.default_int_handler(number, frame)


def no_time_is_left() -> bool:
    """Tell, at the end of the process, whether the user wants it to end at once.

    From then on Ctrl-C is heard again, also after a SIGTERM: ReFrame has it ignored while it writes its
    report.
    """
    if exit_was_requested():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return _interrupts > 1
