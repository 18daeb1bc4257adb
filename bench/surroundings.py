"""Conditions of a measurement."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version


@dataclass(frozen=True)
class Surroundings:
    """Conditions under which figures were measured.

    Attributes:
        label: name of the gateway, chosen by the user.
        date: date in UTC.
        gateway: description of the gateway.
        repeat: number of runs of each case.
        machine: cores, system and versions.
    """

    label: str
    date: str
    gateway: str
    repeat: int
    machine: str

    @classmethod
    def now(cls, label: str, *, api: int | None, repeat: int) -> Surroundings:
        """Return the current conditions.

        Args:
            label: name of the gateway, chosen by the user.
            api: version of the sandbox's API; None for another gateway.
            repeat: number of runs of each case.
        """
        versions = [
            f"{platform.python_implementation()} {platform.python_version()}",
            f"ReFrame {version('ReFrame-HPC')}",
            f"reframe-firecrest {version('reframe-firecrest')}",
        ]
        cores = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
        return cls(
            label=label,
            date=datetime.now(timezone.utc).strftime("%Y-%m-%d"),
            gateway=f"the sandbox with FirecREST v{api}" if api else "the gateway of FIRECREST_URL",
            repeat=repeat,
            machine=", ".join([cores, *versions]),
        )

    @property
    def text(self) -> str:
        """Return the conditions as sentences."""
        called = f" ({self.label})" if self.label else ""
        many = f" Medians of {self.repeat} runs, with minimum and maximum." if self.repeat > 1 else ""
        return (
            f"On {self.date}, through {self.gateway}{called}, on {self.machine}.{many} "
            "Wall time is that of the whole command."
        )
