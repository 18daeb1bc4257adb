"""The answer of ``/status/systems`` as a look at the gateway: versions, health, limits, clock.

Apart from `answers`, so that runs do not depend on what only a diagnosis reads.
Source: FirecREST v2.5's own code, ``firecrest/config.py`` and ``lib/handlers/api_response_handler.py``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
from pydantic import BaseModel, Field

from reframe_firecrest.gateway.field_types import Bytes, Line, Name, Path, Seconds, line, valid
from reframe_firecrest.gateway.http.dates import epoch_seconds, parse_date
from reframe_firecrest.model.gateway_status import GatewayStatus, ServiceHealth, Storage, SystemHealth


class _Service(BaseModel):
    kind: Line = Field(alias="serviceType")
    healthy: bool = False
    path: Path | None = None
    message: Line | None = None


class _Probing(BaseModel):
    interval: Seconds = Field(default=None, alias="intervalCheck")


class _FileSystem(BaseModel):
    path: Path


class _DataTransfer(BaseModel):
    kind: Line | None = Field(default=None, alias="serviceType")
    url: Path | None = Field(default=None, alias="publicUrl")


class _DataOperation(BaseModel):
    max_direct: Bytes | None = Field(default=None, alias="max_ops_file_size")
    data_transfer: _DataTransfer | None = None


class _System(BaseModel):
    name: Name
    services: list[_Service] | None = Field(default=None, alias="servicesHealth")
    checked: datetime | None = Field(default=None, alias="lastHealthCheck")
    probing: _Probing | None = None
    file_systems: list[_FileSystem] | None = Field(default=None, alias="fileSystems")
    data_operation: _DataOperation | None = Field(default=None, alias="dataOperation")


class _Systems(BaseModel):
    systems: list[Any]


def parse_gateway_status(answer: object, head: httpx.Headers, sent: float, seconds: float) -> GatewayStatus:
    """Turn an answer and its head into a look.

    Args:
        answer: the decoded body.
        head: the headers.
        sent: when it was asked for, in seconds since the epoch.
        seconds: until it was here.

    Raises:
        ValueError: it is not what FirecREST promises.
    """
    found = valid(_System, _Systems.model_validate(answer).systems, "system")
    systems = {system.name: _health(system) for system in found}
    version = head.get("f7t-appversion")
    return GatewayStatus(version and line(version), systems, sent, seconds, parse_date(head.get("date", "")))


def _health(system: _System) -> SystemHealth:
    data = system.data_operation or _DataOperation()
    storage = data.data_transfer
    return SystemHealth(
        services=[
            ServiceHealth(service.kind, service.healthy, service.path, service.message)
            for service in system.services or []
        ],
        checked=None if system.checked is None else epoch_seconds(system.checked),
        interval=system.probing.interval if system.probing else None,
        file_systems=[entry.path for entry in system.file_systems or []],
        max_direct_upload=data.max_direct,
        storage=Storage(storage.kind, storage.url) if storage and storage.kind else None,
    )
