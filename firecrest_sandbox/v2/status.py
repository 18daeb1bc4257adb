"""The section `status` of the API: systems, nodes, partitions, reservations, the user."""

import os
from datetime import datetime, timezone
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from firecrest_sandbox.auth import authenticated
from firecrest_sandbox.local_user import group_name
from firecrest_sandbox.records import Account, Node, Partition, Reservation
from firecrest_sandbox.state import AnyServer, SystemServer
from firecrest_sandbox.v2.models import ERROR_RESPONSES, CamelModel
from firecrest_sandbox.v2.systems import system_entry

router = APIRouter(
    prefix="/status", tags=["status"], dependencies=[Depends(authenticated)], responses=ERROR_RESPONSES
)
liveness_router = APIRouter(prefix="/status", tags=["status"], responses=ERROR_RESPONSES)


class Systems(CamelModel):
    """The systems and their configuration."""

    systems: list[dict[str, Any]]


class Nodes(CamelModel):
    """The nodes of a system."""

    nodes: list[Node]


class Partitions(CamelModel):
    """The partitions of a system."""

    partitions: list[Partition]


class Reservations(CamelModel):
    """The reservations of a system."""

    reservations: list[Reservation]


class Identity(CamelModel):
    """A POSIX user or group."""

    id: str
    name: str


class UserInfo(CamelModel):
    """The user on the system."""

    user: Identity
    group: Identity
    groups: list[Identity]
    accounts: list[Account] | None = None


class Liveness(CamelModel):
    """Time of the last health check, and its age in seconds."""

    healthcheck_runs: dict[str, datetime]
    last_update: int


@router.get("/systems")
async def get_systems(server: AnyServer) -> Systems:
    """Describe the systems, their limits and their health."""
    return Systems(systems=[system_entry(server)])


@router.get("/{system_name}/nodes")
async def get_nodes(server: SystemServer) -> Nodes:
    """List the nodes."""
    return Nodes(nodes=await server.runner.nodes())


@router.get("/{system_name}/reservations")
async def get_reservations(server: SystemServer) -> Reservations:
    """List the reservations."""
    return Reservations(reservations=await server.runner.reservations())


@router.get("/{system_name}/partitions")
async def get_partitions(
    server: SystemServer, *, show_hidden: Annotated[bool, Query()] = False
) -> Partitions:
    """List the partitions."""
    return Partitions(partitions=await server.runner.partitions(hidden=show_hidden))


@router.get("/{system_name}/userinfo")
async def get_userinfo(server: SystemServer) -> UserInfo:
    """Return the user, the groups, and the accounts that may be charged."""
    user = server.user
    gids = dict.fromkeys([user.gid, *os.getgroups()])
    return UserInfo(
        user=Identity(id=str(user.uid), name=user.name),
        group=Identity(id=str(user.gid), name=user.group),
        groups=[Identity(id=str(gid), name=group_name(gid)) for gid in gids],
        accounts=await server.runner.accounts() or None,
    )


@liveness_router.get("/liveness/")
async def get_liveness(server: AnyServer) -> Liveness:
    """Report that the server is running."""
    return Liveness(healthcheck_runs={server.config.system: datetime.now(timezone.utc)}, last_update=0)
