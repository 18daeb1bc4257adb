"""What all rooms share: the configuration, the runner, the storage, and how to reach them."""

import grp
import os
import pwd
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from firecrest_sandbox.auth import TokenAuthority
from firecrest_sandbox.config import SandboxConfig
from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.fault_injection.counts import RequestCounts
from firecrest_sandbox.fault_injection.faults import Faults
from firecrest_sandbox.object_storage import ObjectStore
from firecrest_sandbox.runners.base import Runner
from firecrest_sandbox.v1.tasklist import TaskList


@dataclass(frozen=True)
class LocalUser:
    """Who the sandbox, its file operations and its jobs run as."""

    name: str
    group: str
    uid: int
    gid: int

    @classmethod
    def current(cls) -> "LocalUser":
        """Return the user of this process; ids stand in for names that don't exist."""
        uid, gid = os.getuid(), os.getgid()
        return cls(user_name(uid), group_name(gid), uid, gid)


def user_name(uid: int) -> str:
    """Return the user's name, or the id where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return the group's name, or the id where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


@dataclass(frozen=True)
class Gateway:
    """The parts of one running sandbox."""

    config: SandboxConfig
    user: LocalUser
    root: Path
    """What clients see; absolute and without symbolic links."""
    url: str
    authority: TokenAuthority
    runner: Runner
    store: ObjectStore
    counts: RequestCounts
    faults: Faults
    tasks: TaskList
    """Of FirecREST v1."""

    @cached_property
    def home(self) -> Path:
        """The user's directory below the root, where transfer jobs write their logs."""
        return self.root / self.user.name


def gateway_of(request: Request) -> Gateway:
    """Return the gateway that serves a request."""
    gateway: Gateway = request.app.state.gateway
    return gateway


async def _system(request: Request, system_name: str) -> Gateway:
    gateway = gateway_of(request)
    if system_name != gateway.config.system:
        raise GatewayError(404, "System not found")
    return gateway


AnyGateway = Annotated[Gateway, Depends(gateway_of)]
"""A route's access to the gateway."""
SystemGateway = Annotated[Gateway, Depends(_system)]
"""The same for a route below a system's name; another system's name gets 404."""
