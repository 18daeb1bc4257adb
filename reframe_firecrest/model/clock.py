"""The clock of this process: seconds since the epoch that no step of the system's clock can change.

It counts from the wall-clock time at import and goes on while the machine is suspended (``CLOCK_BOOTTIME``,
time_namespaces(7)). Compare its values with each other only: another process has another epoch.
"""

from __future__ import annotations

import time


def since_boot() -> float:
    """Return the seconds since this machine started, including those in which it was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


EPOCH = time.time() - since_boot()
"""Seconds since the epoch at which this machine started, by its clock at import."""


def clock() -> float:
    """Return seconds since the epoch by a clock that never jumps within a process."""
    return EPOCH + since_boot()
