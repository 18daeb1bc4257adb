"""The entry of the system in `/status/systems`: what the site has configured, and its health."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from firecrest_sandbox.config import SandboxConfig
from firecrest_sandbox.state import ServerState

_DIRECTIVES = ("#SBATCH --nodes=1", "#SBATCH --time=0-00:15:00")
_ACCOUNT_DIRECTIVE = "#SBATCH --account={account}"
STREAMER_PORTS = (5665, 5675)
"""First and last port of a streamer's job, FirecREST's default."""


def transfer_directives(config: SandboxConfig) -> list[str]:
    """Return the directives of transfer jobs; `{account}` in one makes the account a required parameter."""
    return [*_DIRECTIVES, *([_ACCOUNT_DIRECTIVE] if config.require_account else [])]


def system_entry(server: ServerState) -> dict[str, Any]:
    """Return the description of the only system."""
    config = server.config
    now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
    return {
        "name": config.system,
        "ssh": _ssh(config),
        "scheduler": {
            "type": config.scheduler,
            "connectionMode": config.connection,
            "version": server.runner.version,
            "apiUrl": None if config.connection == "ssh" else "http://slurmrestd.invalid:6820",
            "apiVersion": None if config.connection == "ssh" else "0.0.42",
            "timeout": 10,
        },
        "servicesHealth": _health(server, now),
        "probing": {
            "services": {
                "ssh": {"timeout": 5},
                "filesystem": {"timeout": 5},
                "scheduler": {"timeout": 5},
                **({"s3": {"timeout": 20}} if config.transfers == "s3" else {}),
            },
            "intervalCheck": 60,
        },
        "lastHealthCheck": now,
        "fileSystems": [{"path": str(server.root), "dataType": "users", "defaultWorkDir": True}],
        "dataOperation": {
            "datatransfer_jobs_directives": transfer_directives(config),
            "max_ops_file_size": config.max_ops_file_size,
            "data_transfer": _data_transfer(server),
        },
    }


def _ssh(config: SandboxConfig) -> dict[str, Any]:
    return {
        "host": config.host,
        "port": 22,
        "proxyHost": None,
        "proxyPort": None,
        "maxClients": 500,
        "timeout": {
            "connection": 5,
            "login": 5,
            "commandExecution": max(1, int(config.operation_timeout)),
            "idleTimeout": 60,
            "keepAlive": 5,
        },
    }


def _health(server: ServerState, now: str) -> list[dict[str, Any]]:
    def healthy(service: str, **more: str | None) -> dict[str, Any]:
        return {
            "serviceType": service,
            "lastChecked": now,
            "latency": 0.001,
            "healthy": True,
            "message": None,
            **more,
        }

    return [
        healthy("scheduler", message="[{'mode': 'primary', 'pinged': 'UP'}]"),
        healthy("ssh"),
        healthy("filesystem", path=str(server.root)),
        *([healthy("s3")] if server.config.transfers == "s3" else []),
    ]


def _data_transfer(server: ServerState) -> dict[str, Any] | None:
    """Return the service for large files; the fields of each method were observed on 35e1d08."""
    config = server.config
    if config.transfers == "streamer":
        return {
            "serviceType": "streamer",
            "pypiIndexUrl": None,
            "host": "0.0.0.0",  # noqa: S104  shown only, as the observed site shows it
            "portRange": list(STREAMER_PORTS),
            "publicIps": [config.host],
            "waitTimeout": 86_400,
            "inboundTransferLimit": 5 * 1024**3,
        }
    if config.transfers == "wormhole":
        return {"serviceType": "wormhole", "pypiIndexUrl": None}
    return _object_storage(server) if config.transfers == "s3" else None


def _object_storage(server: ServerState) -> dict[str, Any]:
    return {
        "serviceType": "s3",
        "name": "s3-storage",
        "privateUrl": "**********",
        "publicUrl": server.url,
        "accessKeyId": "**********",
        "secretAccessKey": "**********",
        "region": "us-east-1",
        "ttl": server.config.url_lifetime,
        "tenant": None,
        "multipart": {
            "use_split": False,
            "max_part_size": server.config.max_part_size,
            "parallel_runs": 3,
            "tmp_folder": "tmp",
        },
        "bucketLifecycleConfiguration": {"days": 10},
    }
