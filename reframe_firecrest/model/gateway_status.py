"""State of a gateway in plain data: version, health, limits and clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceHealth:
    """Result of the gateway's own health check for one service of a system.

    Attributes:
        kind: such as ``scheduler``, ``ssh``, ``filesystem`` or ``s3``.
        path: of a file system; None for other services.
        message: the gateway's reason, if the service is unhealthy.
    """

    kind: str
    healthy: bool
    path: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class SystemHealth:
    """Configuration and health of a system, as far as its gateway reports them.

    Attributes:
        services: those that the gateway checks regularly.
        checked: time of the last check, in seconds since the epoch by the gateway's clock.
        interval: seconds between two checks.
        file_systems: paths of the file systems that the gateway serves.
        max_direct_upload: bytes that a direct upload may have.
    """

    services: Sequence[ServiceHealth] = ()
    checked: float | None = None
    interval: float | None = None
    file_systems: Sequence[str] = ()
    max_direct_upload: int | None = None


@dataclass(frozen=True)
class GatewayStatus:
    """The answer of a gateway to a request that costs it next to nothing.

    Attributes:
        version: as the gateway reports it.
        systems: all of its systems, by name.
        sent: time of the request, in seconds since the epoch by this machine's clock.
        seconds: time until the answer arrived.
        date: time of the answer, in whole seconds since the epoch by the gateway's clock.
    """

    version: str | None
    systems: Mapping[str, SystemHealth]
    sent: float
    seconds: float
    date: float | None = None
