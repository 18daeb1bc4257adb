"""A FirecREST-compatible gateway for one machine, for v2 and v1 of the API.

For people without an account on a system behind FirecREST, for trying settings and
pipelines, and for tests. Needs the extra `sandbox`. The rooms are named after the API's own
sections: `auth`, `status`, `filesystem`, `transfer`, `compute`, and those of v1's services in `v1`;
`storage` stands for the site's object storage, `runners` for its scheduler, `disturb` for its bad days.
"""

from reframe_firecrest.sandbox.config import SandboxConfig
from reframe_firecrest.sandbox.disturb.faults import FaultKind, FaultRule
from reframe_firecrest.sandbox.server import Sandbox, SandboxError

__all__ = ["FaultKind", "FaultRule", "Sandbox", "SandboxConfig", "SandboxError"]
