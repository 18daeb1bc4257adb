"""Patch of ReFrame: the name under which a partition's scheduler appears to tests.

Patched: ``registered_name`` of our own scheduler class, which `register_scheduler` sets to a `ConstantField`
(``reframe/core/backends.py``, ReFrame 4.10).

Reason: suites check for the name "slurm" before they write options of Slurm, such as a memory request.
Settings files select a scheduler by the key of ReFrame's registry, which is unaffected. A `SystemPartition`
reads the name from the class, for the implicit extra ``scheduler`` of ``valid_systems``; that is the default,
because the class knows no partition.
"""

from __future__ import annotations

from typing import Any

import reframe.core.runtime as rt
from reframe.core.exceptions import ConfigError

from reframe_firecrest.model.setting_names import APPEAR_AS, OPTIONS, scheduler_name


class ReportedName:
    """Name of a scheduler: the partition's own, or the default of the class.

    Args:
        default: the name if no settings choose one.
    """

    def __init__(self, default: str) -> None:
        self._default = default

    def __get__(self, scheduler: Any, _owner: Any = None) -> str:
        """Return the name."""
        own: str | None = getattr(scheduler, "reported_name", None)
        return own or self._default

    def __set__(self, _scheduler: Any, _value: object) -> None:
        """Refuse another name, as `ConstantField` does."""
        raise ValueError("attempt to set a read-only variable")


def reported_name(config_prefix: str) -> str | None:
    """Return the setting `appear_as` of a partition or its system; None if neither has it.

    Listing tests reads it, and no other setting must be necessary for that.

    Args:
        config_prefix: the partition in ReFrame's configuration, such as ``systems/0/partitions/@name``.

    Raises:
        ConfigError: the name is not valid.
    """
    for prefix in (config_prefix, "systems/0/sched_options"):
        name = (rt.runtime().get_option(f"{prefix}/{OPTIONS}") or {}).get(APPEAR_AS)
        if name is not None:
            try:
                return scheduler_name(name)
            except ValueError as error:
                raise ConfigError(f"{APPEAR_AS!r} is wrong: {error}") from None
    return None
