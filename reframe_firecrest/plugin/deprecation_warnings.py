"""Patch of ReFrame: skip the costly preparation of deprecation warnings that are suppressed.

Patched: the name ``user_deprecation_warning`` in ``reframe.core.fields`` and ``reframe.core.variables``, as
of ReFrame 4.10.4; other versions that lack it are left alone.

Reason: for each log record, ReFrame reads every loggable variable of a test, with deprecation warnings
suppressed. A deprecated variable still inspects the whole call stack, including source lines, before the
warning is suppressed. With 100 tests that took 11 of 19 s of CPU time on ReFrame's thread, which all tests
share (docs/performance.md). The warnings that users see do not change.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import reframe.core.fields
import reframe.core.variables
from reframe.core.warnings import ReframeDeprecationWarning, user_deprecation_warning

_CALLERS = (reframe.core.fields, reframe.core.variables)
"""Modules that warn about deprecated variables; each has imported the function by name."""


def _suppressed() -> bool:
    """Return true within ReFrame's ``suppress_deprecations``, whose filter is the first one then."""
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
    """Make ReFrame prepare deprecation warnings only if they are shown."""
    for module in _CALLERS:
        warn = getattr(module, "user_deprecation_warning", None)
        if warn is not None and warn is user_deprecation_warning:
            module.user_deprecation_warning = _unless_suppressed(warn)
