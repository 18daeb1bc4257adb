"""The parts of a running server, and how routes reach them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from firecrest_sandbox.auth import TokenAuthority
from firecrest_sandbox.config import SandboxConfig
from firecrest_sandbox.errors import GatewayError, NotOverRestError
from firecrest_sandbox.fault_injection.counts import RequestCounts
from firecrest_sandbox.fault_injection.faults import Faults
from firecrest_sandbox.local_user import LocalUser
from firecrest_sandbox.object_storage.store import ObjectStore
from firecrest_sandbox.records import JobDescription
from firecrest_sandbox.runners.base import Runner, SubmissionReceipt
from firecrest_sandbox.v1.tasklist import TaskList


@dataclass(frozen=True)
class ServerState:
    """The parts of one running server."""

    config: SandboxConfig
    user: LocalUser
    root: Path
    """The directory that clients see; absolute and without symbolic links."""
    url: str
    authority: TokenAuthority
    runner: Runner
    store: ObjectStore
    counts: RequestCounts
    faults: Faults
    tasks: TaskList
    """Tasks of FirecREST v1."""

    async def submit(self, description: JobDescription) -> SubmissionReceipt:
        """Submit a job as FirecREST v2 does, which uses slurmrestd if the site is configured so.

        Raises:
            GatewayError: 501; slurmrestd takes no path of a script.
        """
        connection, has_path = self.config.connection, bool(description.script_path)
        if connection == "rest" and has_path:
            raise NotOverRestError
        over_rest = connection == "rest" or (connection == "hybrid" and not has_path)
        return await self.runner.submit(description, over_rest=over_rest)

    @cached_property
    def home(self) -> Path:
        """The user's directory below the root, where transfer jobs write their logs."""
        return self.root / self.user.name


def server_of(request: Request) -> ServerState:
    """Return the state of the server that serves a request."""
    server: ServerState = request.app.state.server
    return server


async def _named_server(request: Request, system_name: str) -> ServerState:
    server = server_of(request)
    if system_name != server.config.system:
        raise GatewayError(404, "System not found")
    return server


AnyServer = Annotated[ServerState, Depends(server_of)]
"""The server's state as a parameter of a route."""
SystemServer = Annotated[ServerState, Depends(_named_server)]
"""The same for a route that names the system; another system's name gets 404."""
