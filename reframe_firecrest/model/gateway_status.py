"""What a look at a gateway shows, in plain data: versions, health, limits, clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceHealth:
    """What the gateway's own health check found of one service of a system.

    Attributes:
        kind: such as ``scheduler``, ``ssh``, ``filesystem`` or ``s3``.
        path: of a file system; None for other services.
        message: what was wrong, as the gateway says.
    """

    kind: str
    healthy: bool
    path: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Storage:
    """Where large files pass between here and a system.

    Attributes:
        kind: such as ``s3``.
        url: under which it is reached from here; None where that is not told.
    """

    kind: str
    url: str | None = None


@dataclass(frozen=True)
class SystemHealth:
    """How a system is set up and how it does, as far as its gateway tells.

    Attributes:
        services: what the gateway looks at from time to time.
        checked: when it looked last, in seconds since the epoch by the gateway's clock.
        interval: seconds between its looks.
        file_systems: paths below which files can be reached.
        max_direct_upload: bytes that a direct upload may have.
        storage: for larger files.
    """

    services: Sequence[ServiceHealth] = ()
    checked: float | None = None
    interval: float | None = None
    file_systems: Sequence[str] = ()
    max_direct_upload: int | None = None
    storage: Storage | None = None


@dataclass(frozen=True)
class GatewayStatus:
    """One look at a gateway: its answer to a request that costs it next to nothing.

    Attributes:
        version: as the gateway gives it.
        systems: all of its systems by name.
        sent: when it was asked, in seconds since the epoch by this machine's clock.
        seconds: until the answer was here.
        date: when it answered, in whole seconds since the epoch by the gateway's clock.
    """

    version: str | None
    systems: Mapping[str, SystemHealth]
    sent: float
    seconds: float
    date: float | None = None
