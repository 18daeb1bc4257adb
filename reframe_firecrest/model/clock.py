"""Clock of this process: seconds since the epoch, independent of steps of the system's clock.

It starts at the wall-clock time at import and advances while the machine is suspended (``CLOCK_BOOTTIME``,
time_namespaces(7)). Its values are comparable within a process only.
"""

from __future__ import annotations

import time


def since_boot() -> float:
    """Return the seconds since this machine started, including those in suspension."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


EPOCH = time.time() - since_boot()
"""Start of this machine, in seconds since the epoch, by the system's clock at import."""


def clock() -> float:
    """Return the seconds since the epoch; the value never jumps within a process."""
    return EPOCH + since_boot()
