"""Patch of ReFrame: end its pause between two polls when a job has ended.

Patched: ``time`` in ``reframe.frontend.executors.policies``, where only ``_PollController`` sleeps, as of
ReFrame 4.10.4; other versions without that class are left alone.

Reason: the pause grows to ten seconds while no test changes its state, and a result that is local by then is
not noticed before (`poll_rate_min`, `poll_rate_decay`).
"""

from __future__ import annotations

import sys
import time
from typing import Any

from reframe_firecrest.session.completions import wait_for_end

SHORTEST = 0.03
"""Seconds of a pause that are always waited."""

LONGEST_SHORT = 0.1
"""Seconds up to which a short pause is as long as ReFrame's work before it, so as not to take a processor."""


class InterruptibleTime:
    """Python's module ``time``, except that `sleep` returns when a job has ended.

    ReFrame finishes the test of a job that has ended in its next two cycles, so the pause between them is
    short, too.
    """

    def __init__(self) -> None:
        self._slept_until = time.monotonic()
        self._ended = False

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the module."""
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        """Sleep until a job has ended, or for some seconds."""
        worked = time.monotonic() - self._slept_until
        shortest = min(seconds, max(SHORTEST, min(worked, LONGEST_SHORT)))
        time.sleep(shortest)
        followed, self._ended = self._ended, False
        if seconds > shortest and not followed:
            self._ended = wait_for_end(seconds - shortest)
        self._slept_until = time.monotonic()


def shorten_pauses() -> None:
    """End ReFrame's pauses when a job has ended."""
    # Only ReFrame's command line imports it, and importing it is slow.
    policies = sys.modules.get("reframe.frontend.executors.policies")
    if hasattr(policies, "_PollController") and getattr(policies, "time", None) is time:
        policies.time = InterruptibleTime()  # type: ignore[union-attr] # it has the attribute
