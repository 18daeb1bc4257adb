"""Settings of a partition in ReFrame's configuration, before they are validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import reframe.core.runtime as rt

from reframe_firecrest.model.scheduler_options import OPTIONS


def partition_options(config_prefix: str) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Return the settings of a partition, and those of its system.

    Args:
        config_prefix: the partition in ReFrame's configuration, such as ``systems/0/partitions/@name``.
    """
    return (
        rt.runtime().get_option(f"{config_prefix}/{OPTIONS}"),
        rt.runtime().get_option(f"systems/0/sched_options/{OPTIONS}"),
    )
