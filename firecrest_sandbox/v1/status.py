"""The service `status`: services, systems, file systems and the site's limits."""

from typing import Any

from fastapi import APIRouter, Depends, Request

from firecrest_sandbox.config import MIB
from firecrest_sandbox.state import AnyServer, ServerState
from firecrest_sandbox.v1.access import authenticated
from firecrest_sandbox.v1.errors import RefusedError
from firecrest_sandbox.versions import V1_VERSION

STORAGE_MAX_FILE_SIZE = 5120
"""In MB; reported but not enforced, as in the real gateway."""
_SERVICES = ("certificator", "utilities", "compute", "tasks", "storage", "reservations")

router = APIRouter(prefix="/status", tags=["status"], dependencies=[Depends(authenticated)])


@router.get("/parameters")
async def get_parameters(server: AnyServer) -> dict[str, Any]:
    """Return the site's limits. All values except the list of file systems are text."""
    config = server.config
    mounted = [{"system": config.system, "mounted": [str(server.root)]}]
    megabytes = f"{config.max_ops_file_size / MIB:.10g}"
    out = {
        "general": [
            _parameter("FIRECREST_VERSION", V1_VERSION, "", "FirecREST version."),
            _parameter("FIRECREST_BUILD", "", "", "FirecREST build timestamp."),
        ],
        "compute": [_parameter("WORKLOAD_MANAGER", "Slurm", "", "Workload manager.")],
        "utilities": [
            _parameter("UTILITIES_MAX_FILE_SIZE", megabytes, "MB", "Limit of a direct upload or download."),
            _parameter(
                "UTILITIES_TIMEOUT", f"{config.operation_timeout:g}", "seconds", "Time limit of a command."
            ),
        ],
        "storage": [
            _parameter("OBJECT_STORAGE", "s3v4", "", "Kind of object storage."),
            _parameter("STORAGE_TEMPURL_EXP_TIME", str(config.url_lifetime), "seconds", "Lifetime of a URL."),
            _parameter(
                "STORAGE_MAX_FILE_SIZE", str(STORAGE_MAX_FILE_SIZE), "MB", "Limit of a transferred file."
            ),
            _parameter("FILESYSTEMS", mounted, "", "The file systems."),
        ],
    }
    return {"description": "Firecrest's parameters", "out": out}


def _parameter(name: str, value: object, unit: str, description: str) -> dict[str, object]:
    return {"name": name, "value": value, "unit": unit, "description": description}


@router.get("/services")
async def get_services() -> dict[str, Any]:
    """List the services."""
    out = [_service(name) for name in _SERVICES]
    return {"description": "List of services with status and description.", "out": out}


@router.get("/services/{name}")
async def get_service(name: str) -> dict[str, Any]:
    """Return one service."""
    if name not in _SERVICES:
        raise RefusedError(404, {"description": "Service does not exists", "status_code": 404})
    return _service(name)


def _service(name: str) -> dict[str, Any]:
    return {
        "service": name,
        "status": "available",
        "status_code": 200,
        "description": "server up & flask running",
    }


@router.get("/systems")
async def get_systems(server: AnyServer) -> dict[str, Any]:
    """List the systems. The route is used only without v2, which has the same path."""
    return {"description": "List of systems with status and description.", "out": [_system(server)]}


@router.get("/systems/{name}")
async def get_system(server: AnyServer, name: str) -> dict[str, Any]:
    """Return one system."""
    if name != server.config.system:
        raise RefusedError(404, {"description": "System does not exists."})
    return {"description": "System information", "out": _system(server)}


def _system(server: ServerState) -> dict[str, str]:
    return {"system": server.config.system, "status": "available", "description": "System ready"}


@router.get("/filesystems")
async def get_filesystems(server: AnyServer) -> dict[str, Any]:
    """List the file systems by system."""
    return {"description": "Filesystem information", "out": {server.config.system: _filesystems(server)}}


@router.get("/filesystems/{name}")
async def get_filesystems_of(server: AnyServer, name: str) -> dict[str, Any]:
    """List the file systems of one system."""
    description = f"Filesystem information for system {name}"
    if name != server.config.system:
        raise RefusedError(404, {"description": description, "out": f"System '{name}' doesn't exist"})
    return {"description": description, "out": _filesystems(server)}


def _filesystems(server: ServerState) -> list[dict[str, Any]]:
    return [
        {
            "name": "ROOT",
            "path": str(server.root),
            "description": "All files of the sandbox",
            "status": "available",
            "status_code": 200,
        }
    ]


reservations_router = APIRouter(dependencies=[Depends(authenticated)])


@reservations_router.get("/reservations")
async def get_reservations(request: Request) -> None:  # noqa: ARG001  the answer is always the same
    """Refuse the request: the recorded site lacks the service's command. `/compute/reservations` works."""
    raise RefusedError.because(
        "timeout: failed to run command 'rsvmgmt': No such file or directory", "Error listing reservations"
    )
