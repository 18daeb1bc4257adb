"""Settings that are needed while tests are listed, when the package `settings` is not imported yet."""

from __future__ import annotations

import re

OPTIONS = "firecrest"
"""Key of `sched_options` that holds the settings of this package."""

APPEAR_AS = "appear_as"
"""Key of the name of a partition's scheduler as tests see it."""


def scheduler_name(value: object) -> str:
    """Return a scheduler's name.

    Raises:
        ValueError: it is not valid.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", value):
        raise ValueError("must consist of letters, digits, '.', '_' and '-'")
    if value == "local":
        # ReFrame (4.10) would detect the processor of this machine for the partition.
        raise ValueError("must not be 'local': the partition's jobs run on another machine")
    return value
