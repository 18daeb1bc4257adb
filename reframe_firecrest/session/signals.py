"""Signals that end the run: a SIGTERM that ReFrame loses, and the second Ctrl-C.

On SIGTERM and SIGHUP, ReFrame (4.10) raises an exception from its signal handler. If that happens while a log
record is written, Python's logging catches and prints the exception, and the run continues. ReFrame ignores
further signals by then, so the SIGTERM is lost.

Ctrl-C is left to Python, which raises KeyboardInterrupt in any code of ReFrame. A second one may interrupt
the writing of the report, and the code that runs at the end of the process would not learn of it. So they are
counted.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

_interrupts = 0


def exit_was_requested() -> bool:
    """Return true if ReFrame's signal handler has run: only that ignores both signals."""
    return all(signal.getsignal(number) is signal.SIG_IGN for number in (signal.SIGTERM, signal.SIGINT))


def count_interrupts() -> None:
    """Count each Ctrl-C from now on, unless another handler than Python's is installed."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    if on_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)


def _interrupted(number: int, frame: FrameType | None) -> None:
    global _interrupts  # noqa: PLW0603 - signals are process-wide, and so is the count
    _interrupts += 1
    signal.default_int_handler(number, frame)


def no_time_is_left() -> bool:
    """Return true, at the end of the process, if the user has pressed Ctrl-C again.

    From then on Ctrl-C raises KeyboardInterrupt again, also after a SIGTERM: ReFrame ignores it while it
    writes its report.
    """
    if exit_was_requested():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return _interrupts > 1
