"""The answer of ``/status/systems`` as a look at the gateway: versions, health, limits, clock.

Apart from `answers`, so that runs do not depend on what only a diagnosis reads.
Source: FirecREST v2.5's own code, ``firecrest/config.py`` and ``lib/handlers/api_response_handler.py``.
"""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Annotated

import httpx
from pydantic import BaseModel, Field

from reframe_firecrest.gateway.looks import Look, ServiceHealth, Storage, SystemHealth


class _Service(BaseModel):
    kind: str = Field(alias="serviceType")
    healthy: bool = False
    path: str | None = None
    message: str | None = None


class _Probing(BaseModel):
    interval: Annotated[float, Field(allow_inf_nan=False)] | None = Field(default=None, alias="intervalCheck")


class _FileSystem(BaseModel):
    path: str


class _DataTransfer(BaseModel):
    kind: str | None = Field(default=None, alias="serviceType")
    url: str | None = Field(default=None, alias="publicUrl")


class _DataOperation(BaseModel):
    max_direct: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(default=None, alias="max_ops_file_size")
    data_transfer: _DataTransfer | None = None


class _System(BaseModel):
    name: str
    services: list[_Service] | None = Field(default=None, alias="servicesHealth")
    checked: datetime | None = Field(default=None, alias="lastHealthCheck")
    probing: _Probing | None = None
    file_systems: list[_FileSystem] | None = Field(default=None, alias="fileSystems")
    data_operation: _DataOperation | None = Field(default=None, alias="dataOperation")


class _Systems(BaseModel):
    systems: list[_System]


def look_of(answer: object, head: httpx.Headers, sent: float, seconds: float) -> Look:
    """Turn an answer and its head into a look.

    Args:
        answer: the decoded body.
        head: the headers.
        sent: when it was asked for, in seconds since the epoch.
        seconds: until it was here.

    Raises:
        ValueError: it is not what FirecREST promises.
    """
    systems = {system.name: _health(system) for system in _Systems.model_validate(answer).systems}
    return Look(head.get("f7t-appversion"), systems, sent, seconds, date_of(head.get("date", "")))


def _health(system: _System) -> SystemHealth:
    data = system.data_operation or _DataOperation()
    storage = data.data_transfer
    return SystemHealth(
        services=[
            ServiceHealth(service.kind, service.healthy, service.path, service.message)
            for service in system.services or []
        ],
        checked=None if system.checked is None else _seconds(system.checked),
        interval=system.probing.interval if system.probing else None,
        file_systems=[entry.path for entry in system.file_systems or []],
        max_direct_upload=data.max_direct,
        storage=Storage(storage.kind, storage.url) if storage and storage.kind else None,
    )


def date_of(text: str) -> float | None:
    """Read the header that tells when an answer was made: seconds since the epoch, None if it is none."""
    try:
        return _seconds(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(moment: datetime) -> float:
    # One without a zone is meant to be in universal time.
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
