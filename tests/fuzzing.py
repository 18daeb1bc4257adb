"""Number of examples of property-based tests: FUZZ=20 tries twenty times as many."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings


def examples(count: int) -> settings:
    """Try so many examples; those that start processes or write files are slow, and fixtures are shared."""
    scale = float(os.environ.get("FUZZ", "1"))
    return settings(
        max_examples=max(1, int(count * scale)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
