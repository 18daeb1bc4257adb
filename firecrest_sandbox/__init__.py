"""A FirecREST server for one machine, which speaks v2 and v1 of the API.

It needs the extra `sandbox`. The names below are imported when they are first used, so that the command line
can name a missing extra. `v2` and `v1` follow the sections of the API; `runners` run the jobs, either as
processes of this machine or through Slurm; `fault_injection` delays and fails requests on demand.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firecrest_sandbox.config import SandboxConfig
    from firecrest_sandbox.fault_injection.faults import FaultKind, FaultRule
    from firecrest_sandbox.server import Sandbox, SandboxError

__all__ = ["FaultKind", "FaultRule", "Sandbox", "SandboxConfig", "SandboxError"]

_MODULES = {
    "FaultKind": "firecrest_sandbox.fault_injection.faults",
    "FaultRule": "firecrest_sandbox.fault_injection.faults",
    "Sandbox": "firecrest_sandbox.server",
    "SandboxConfig": "firecrest_sandbox.config",
    "SandboxError": "firecrest_sandbox.server",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    try:
        return getattr(import_module(_MODULES[name]), name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
