"""Where and when something was measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version


@dataclass(frozen=True)
class Surroundings:
    """What a figure is worth nothing without.

    Attributes:
        label: what the user calls it.
        date: UTC.
        gateway: what was in front of the system.
        repeat: runs of each case.
        machine: cores, system and versions.
    """

    label: str
    date: str
    gateway: str
    repeat: int
    machine: str

    @classmethod
    def now(cls, label: str, *, api: int | None, repeat: int) -> Surroundings:
        """Look around.

        Args:
            label: what the user calls it.
            api: the version of the API that the sandbox speaks; None where the gateway is not ours.
            repeat: runs of each case.
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
        """Return it as a sentence or two."""
        called = f" ({self.label})" if self.label else ""
        many = f" Medians of {self.repeat} runs, with the lowest and the highest." if self.repeat > 1 else ""
        return (
            f"On {self.date}, through {self.gateway}{called}, on {self.machine}.{many} "
            "Wall time is that of the whole command."
        )
