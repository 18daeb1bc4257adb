"""Patch of ReFrame: remember the id of its session, by which a report and a journal are matched.

Patched: ``RunReport.__init__`` in ``reframe.frontend.reporting``, as of ReFrame 4.10.4; other versions
without it are left alone.

Reason: only the report has the id. ReFrame's command line creates the report after it has read the settings,
and before any test. Without the id, report and journal are matched by their jobs.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

_ids: list[str] = []


def session_id() -> str:
    """Return ReFrame's id of its session in this process; empty if it is unknown."""
    return _ids[-1] if _ids else ""


def remember_sessions() -> None:
    """Remember the id of each report that ReFrame creates from now on."""
    # Only ReFrame's command line imports it, and importing it is slow.
    reporting = sys.modules.get("reframe.frontend.reporting")
    report = getattr(reporting, "RunReport", None)
    if report is not None:
        report.__init__ = _remembering(report.__init__)


def _remembering(initialise: Any) -> Any:
    @functools.wraps(initialise)
    def initialise_and_remember(self: Any, *args: Any, **kwargs: Any) -> None:
        initialise(self, *args, **kwargs)
        try:
            _ids.append(str(self["session_info"]["uuid"]))
        except (KeyError, TypeError):
            return

    return initialise_and_remember
