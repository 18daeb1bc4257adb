"""The partition for which ReFrame currently works."""

from __future__ import annotations

import reframe.core.runtime as rt


def current_partition(system: str) -> str | None:
    """Return the name of the partition of a system; None if ReFrame works for the whole system.

    ReFrame (4.10) selects the partition while it runs a stage of a test (``temp_config``), and for the whole
    run if the option ``--system`` names one.
    """
    selected = rt.runtime().site_config.subconfig_system or ""
    name, _, partition = str(selected).partition(":")
    return partition if name == system and partition else None
