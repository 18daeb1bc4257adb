"""Patch of ReFrame: read the settings of this package before a run begins.

Patched: ``Runner.runall`` in ``reframe.frontend.executors``, as of ReFrame 4.10.4; other versions without it
are left alone.

Reason: an error in the settings ends the run, and no test has failed by then, so ReFrame's summary line would
say that it passed.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from typing import Any

from reframe_firecrest.plugin.scheduler import FirecrestScheduler


def read_settings_first() -> None:
    """Read the settings of the partitions before ReFrame announces a run."""
    # Only ReFrame's command line imports it, and importing it is slow.
    runner = getattr(sys.modules.get("reframe.frontend.executors"), "Runner", None)
    original = getattr(runner, "runall", None)
    if runner is None or original is None:
        return

    @functools.wraps(original)
    def runall(self: Any, testcases: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        if not getattr(self.policy, "dry_run_mode", False):
            for scheduler in _schedulers(testcases):
                scheduler.open_session()
        return original(self, testcases, *args, **kwargs)

    runner.runall = runall


def _schedulers(testcases: Iterable[Any]) -> set[FirecrestScheduler]:
    """Return the schedulers that run jobs of test cases."""
    return {
        case.partition.scheduler
        for case in testcases
        if isinstance(case.partition.scheduler, FirecrestScheduler) and not case.check.local
    }
