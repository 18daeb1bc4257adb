"""The section `status` of the API: systems, nodes, partitions, reservations, the user."""

import os
from datetime import datetime, timezone
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from firecrest_sandbox.auth import authenticated
from firecrest_sandbox.local_user import group_name
from firecrest_sandbox.records import Account, Node, Partition, Reservation
from firecrest_sandbox.state import AnyServer, ServerState, SystemServer
from firecrest_sandbox.v2.models import ERROR_RESPONSES, CamelModel

TRANSFER_DIRECTIVES = ("#SBATCH --nodes=1", "#SBATCH --time=0-00:15:00")

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
    return Systems(systems=[_system_entry(server)])


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


def _system_entry(server: ServerState) -> dict[str, Any]:
    config = server.config
    now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
    seconds = max(1, int(config.operation_timeout))

    def healthy(service: str, **more: str | None) -> dict[str, Any]:
        return {
            "serviceType": service,
            "lastChecked": now,
            "latency": 0.001,
            "healthy": True,
            "message": None,
            **more,
        }

    return {
        "name": config.system,
        "ssh": {
            "host": config.host,
            "port": 22,
            "proxyHost": None,
            "proxyPort": None,
            "maxClients": 500,
            "timeout": {
                "connection": 5,
                "login": 5,
                "commandExecution": seconds,
                "idleTimeout": 60,
                "keepAlive": 5,
            },
        },
        "scheduler": {
            "type": "slurm",
            "connectionMode": "ssh",
            "version": server.runner.version,
            "apiUrl": None,
            "apiVersion": None,
            "timeout": 10,
        },
        "servicesHealth": [
            healthy("scheduler", message="[{'mode': 'primary', 'pinged': 'UP'}]"),
            healthy("ssh"),
            healthy("filesystem", path=str(server.root)),
            healthy("s3"),
        ],
        "probing": {
            "services": {
                "ssh": {"timeout": 5},
                "filesystem": {"timeout": 5},
                "scheduler": {"timeout": 5},
                "s3": {"timeout": 20},
            },
            "intervalCheck": 60,
        },
        "lastHealthCheck": now,
        "fileSystems": [{"path": str(server.root), "dataType": "users", "defaultWorkDir": True}],
        "dataOperation": {
            "datatransfer_jobs_directives": list(TRANSFER_DIRECTIVES),
            "max_ops_file_size": config.max_ops_file_size,
            "data_transfer": {
                "serviceType": "s3",
                "name": "s3-storage",
                "privateUrl": "**********",
                "publicUrl": server.url,
                "accessKeyId": "**********",
                "secretAccessKey": "**********",
                "region": "us-east-1",
                "ttl": config.url_lifetime,
                "tenant": None,
                "multipart": {
                    "use_split": False,
                    "max_part_size": config.max_part_size,
                    "parallel_runs": 3,
                    "tmp_folder": "tmp",
                },
                "bucketLifecycleConfiguration": {"days": 10},
            },
        },
    }
