"""The former place of `firecrest_sandbox`, for scripts that import it from here."""

import warnings

from firecrest_sandbox import FaultKind, FaultRule, Sandbox, SandboxConfig, SandboxError

__all__ = ["FaultKind", "FaultRule", "Sandbox", "SandboxConfig", "SandboxError"]

warnings.warn("reframe_firecrest.sandbox is now firecrest_sandbox", DeprecationWarning, stacklevel=2)
