"""Options of the scheduler that are read even to list tests, without any library."""

from __future__ import annotations

import re

OPTIONS = "firecrest"
"""Key of the settings in the `sched_options` of a partition or a system."""

APPEAR_AS = "appear_as"
"""Setting for the name under which the scheduler appears to tests."""

DEFAULT_NAME = "slurm"
"""Default of `appear_as`."""


def scheduler_name(value: object) -> str:
    """Return a name if it is a valid one.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", value):
        raise ValueError("must consist of letters, digits, '.', '_' and '-'")
    if value == "local":
        # ReFrame (4.10) would detect the processor of this machine for the partition.
        raise ValueError("must not be 'local': the partition's jobs run on another machine")
    return value
