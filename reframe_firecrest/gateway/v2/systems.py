"""The answer of ``/status/systems``: what a session needs of it, and what a diagnosis reads beyond that.

A session depends on few fields, so a malformed entry that only a diagnosis reads cannot make it fail.
Source: FirecREST v2.5's own code, ``firecrest/config.py`` and ``lib/handlers/api_response_handler.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import httpx
from pydantic import BeforeValidator, Field

from reframe_firecrest.gateway.field_types import Answer, Bytes, Line, Name, Path, Seconds, line, valid
from reframe_firecrest.gateway.http.dates import epoch_seconds, parse_date
from reframe_firecrest.model.capabilities import (
    DEFAULT_DIRECT_LIMIT,
    Capabilities,
    ConnectionMode,
    TransferMethod,
)
from reframe_firecrest.model.gateway_status import GatewayStatus, ServiceHealth, SystemHealth
from reframe_firecrest.model.system import SystemInfo


def _known_mode(value: object) -> object:
    """Return the usual mode for one that is missing or unknown: a refused submission shows the difference."""
    return value if value in [mode.value for mode in ConnectionMode] else ConnectionMode.SSH


class _Scheduler(Answer):
    type: Line = "slurm"
    version: Line | None = None
    connection_mode: Annotated[ConnectionMode, BeforeValidator(_known_mode)] = Field(
        default=ConnectionMode.SSH, alias="connectionMode"
    )

    @property
    def version_numbers(self) -> tuple[int, ...] | None:
        """The version as numbers."""
        match = re.match(r"([0-9]{1,9}(?:\.[0-9]{1,9})*)", self.version or "")
        return tuple(int(number) for number in match.group(1).split(".")) if match else None


_IfText = BeforeValidator(lambda value: value if isinstance(value, str) else None)


class _DataTransfer(Answer):
    kind: Line | None = Field(default=None, alias="serviceType")
    url: Annotated[Path | None, _IfText] = Field(default=None, alias="publicUrl")


class _DataOperation(Answer):
    max_direct_upload: Bytes | None = Field(default=None, alias="max_ops_file_size")
    data_transfer: _DataTransfer | None = None
    directives: list[Line] | None = Field(default=None, alias="datatransfer_jobs_directives")


class _SshTimeouts(Answer):
    command: Annotated[float, Field(ge=0, le=3600)] | None = Field(default=None, alias="commandExecution")


class _Ssh(Answer):
    timeout: _SshTimeouts | None = None


class System(Answer):
    """The fields of a system that a session needs."""

    name: Name
    scheduler: _Scheduler | None = None
    data_operation: _DataOperation | None = Field(default=None, alias="dataOperation")
    ssh: _Ssh | None = None

    @property
    def command_timeout(self) -> float | None:
        """Seconds after which the gateway ends a command on files; None if it does not report them."""
        return self.ssh.timeout.command if self.ssh and self.ssh.timeout else None

    @property
    def max_direct_upload(self) -> int | None:
        """Bytes that a direct upload may have; None if the gateway does not report them."""
        return self.data_operation.max_direct_upload if self.data_operation else None

    @property
    def capabilities(self) -> Capabilities:
        """Capabilities of the gateway for the system."""
        scheduler = self.scheduler or _Scheduler()
        limit = self.max_direct_upload or DEFAULT_DIRECT_LIMIT
        reported = self._reported_transfer
        storage = self.data_operation.data_transfer if self.data_operation else None
        return Capabilities(
            transfer=TransferMethod.S3 if reported == TransferMethod.S3.value else TransferMethod.NONE,
            reported_transfer=reported,
            storage_url=storage.url if storage else None,
            max_direct_upload=limit,
            max_direct_download=_largest_in_base64(limit),
            max_command_output=limit - 1,
            command_timeout=self.command_timeout,
            connection_mode=scheduler.connection_mode,
            scheduler=scheduler.type.lower(),
            scheduler_version=scheduler.version_numbers,
            transfer_directives=self._directives,
        )

    @property
    def _reported_transfer(self) -> str:
        """The gateway's name for its method of transfer.

        Gateways before 2.4.0 have one storage, S3, and do not report it.
        """
        if self.data_operation is None or "data_transfer" not in self.data_operation.model_fields_set:
            return TransferMethod.S3.value
        transfer = self.data_operation.data_transfer
        return (transfer and transfer.kind) or TransferMethod.NONE.value

    @property
    def _directives(self) -> tuple[str, ...] | None:
        found = self.data_operation.directives if self.data_operation else None
        return None if found is None else tuple(found)


class _Service(Answer):
    kind: Line = Field(alias="serviceType")
    healthy: bool = False
    path: Path | None = None
    message: Line | None = None


class _Probing(Answer):
    interval: Seconds = Field(default=None, alias="intervalCheck")


class _FileSystem(Answer):
    path: Path


class _SystemDetails(System):
    """The fields of a system that only a diagnosis reads as well."""

    services: list[_Service] | None = Field(default=None, alias="servicesHealth")
    checked: datetime | None = Field(default=None, alias="lastHealthCheck")
    probing: _Probing | None = None
    file_systems: list[_FileSystem] | None = Field(default=None, alias="fileSystems")


class _Systems(Answer):
    systems: list[Any]


def parse_systems(answer: object) -> Sequence[System]:
    """Return the systems in an answer.

    Raises:
        ValueError: the answer is not what FirecREST promises.
    """
    return valid(System, _Systems.model_validate(answer).systems, "system")


def system_info(system: System) -> SystemInfo:
    """Return a system as the session sees it."""
    return SystemInfo(system.name, system.capabilities)


def _largest_in_base64(limit: int) -> int:
    """Return the bytes of the largest file that is shorter than a limit when it is encoded in base64.

    Source: ``get_download`` in ``ops/router.py`` and ``execute`` in ``ssh_client.py`` of FirecREST v2.
    """
    return 3 * ((limit - 1) // 4)


def gateway_status(answer: object, headers: httpx.Headers, sent: float, seconds: float) -> GatewayStatus:
    """Return the state of the gateway and of its systems that an answer shows.

    Args:
        answer: the decoded body.
        headers: of the answer.
        sent: time of the request, in seconds since the epoch.
        seconds: time until the answer arrived.

    Raises:
        ValueError: the answer is not what FirecREST promises.
    """
    systems = valid(_SystemDetails, _Systems.model_validate(answer).systems, "system")
    version = headers.get("f7t-appversion")
    return GatewayStatus(
        version and line(version),
        {system.name: _health(system) for system in systems},
        sent,
        seconds,
        parse_date(headers.get("date", "")),
    )


def _health(system: _SystemDetails) -> SystemHealth:
    return SystemHealth(
        services=[
            ServiceHealth(service.kind, service.healthy, service.path, service.message)
            for service in system.services or []
        ],
        checked=None if system.checked is None else epoch_seconds(system.checked),
        interval=system.probing.interval if system.probing else None,
        file_systems=[entry.path for entry in system.file_systems or []],
        max_direct_upload=system.max_direct_upload,
    )
