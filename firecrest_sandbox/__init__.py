"""A FirecREST server for one machine. It serves versions 2 and 1 of the API.

The server needs the extra `sandbox`. The names below are imported on first use, so that the command line and
the pytest plugin can report a missing extra.

`v2` and `v1` follow the sections of the API. `runners` run the jobs, either as processes of this machine or
through Slurm. `filesystem` and `object_storage` serve both versions. `fault_injection` delays and fails
requests on demand.
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
    """Import a public name on first use."""
    try:
        return getattr(import_module(_MODULES[name]), name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
