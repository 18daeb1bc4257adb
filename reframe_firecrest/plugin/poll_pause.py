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

SHORTEST = 0.1
"""Seconds of a pause that are always waited: ReFrame polls at most ten times a second by default."""


class InterruptibleTime:
    """Python's module ``time``, except that `sleep` returns when a job has ended."""

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the module."""
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        """Sleep until a job has ended, or for some seconds."""
        shortest = min(seconds, SHORTEST)
        time.sleep(shortest)
        if seconds > shortest:
            wait_for_end(seconds - shortest)


def shorten_pauses() -> None:
    """End ReFrame's pauses when a job has ended."""
    # Only ReFrame's command line imports it, and importing it is slow.
    policies = sys.modules.get("reframe.frontend.executors.policies")
    if hasattr(policies, "_PollController") and getattr(policies, "time", None) is time:
        policies.time = InterruptibleTime()  # type: ignore[union-attr] # it has the attribute
