"""ReFrame's id of its session: what its report and our journal have in common.

Only the object that becomes the report knows the id (``RunReport`` in ``reframe/frontend/reporting`` of
ReFrame 4.10.4), and ReFrame's command line makes it after the settings are read, before any test. So its
initialiser is wrapped. Where that fails, report and journal are matched by their jobs.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

_ids: list[str] = []


def session_id() -> str:
    """Return ReFrame's id of this process's session; empty if it is not known."""
    return _ids[-1] if _ids else ""


def remember_sessions() -> None:
    """Remember the id of each report that ReFrame begins from now on."""
    # Without ReFrame's command line it is not imported, and importing it takes long.
    reporting = sys.modules.get("reframe.frontend.reporting")
    report = getattr(reporting, "RunReport", None)
    if report is not None:
        report.__init__ = _remembering(report.__init__)


def _remembering(begin: Any) -> Any:
    @functools.wraps(begin)
    def begin_and_remember(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        try:
            _ids.append(str(self["session_info"]["uuid"]))
        except (KeyError, TypeError):
            return

    return begin_and_remember
