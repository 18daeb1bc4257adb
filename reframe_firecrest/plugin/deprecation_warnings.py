"""Spares ReFrame's thread the search for somebody to warn while its deprecation warnings are switched off.

ReFrame reads every loggable variable of a test for each of its log records, with deprecation warnings
suppressed; a deprecated variable then looks at the whole call stack, source lines included, before a warning
is made that nobody sees. With 100 tests that was 11 of 19 s of processor time on ReFrame's thread, the one
that all tests share (ReFrame 4.10.4; docs/performance.md). What is warned of, and when, stays the same.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import reframe.core.fields
import reframe.core.variables
from reframe.core.warnings import ReframeDeprecationWarning, user_deprecation_warning

_CALLERS = (reframe.core.fields, reframe.core.variables)
"""The modules that warn of deprecated variables, each under its own name for the function."""


def _suppressed() -> bool:
    """Tell whether ReFrame's ``suppress_deprecations`` is in force: its filter is then the first."""
    action, message, category, module, line = warnings.filters[0]
    return (
        action == "ignore"
        and category is ReframeDeprecationWarning
        and (message, module, line) == (None, None, 0)
    )


def _unless_suppressed(warn: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(warn)
    def warn_unless_suppressed(*args: object, **kwargs: object) -> None:
        if not (warnings.filters and _suppressed()):
            warn(*args, **kwargs)

    return warn_unless_suppressed


def warn_only_where_seen() -> None:
    """Have ReFrame look for the place to warn of only where the warning is going to be seen."""
    for module in _CALLERS:
        warn = getattr(module, "user_deprecation_warning", None)
        if warn is not None and warn is user_deprecation_warning:
            module.user_deprecation_warning = _unless_suppressed(warn)
