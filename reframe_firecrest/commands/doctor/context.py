"""Input of the checks, and results that later checks use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model.gateway_status import GatewayStatus, SystemHealth
from reframe_firecrest.session.standalone import StandaloneConnection
from reframe_firecrest.settings import Settings


@dataclass(frozen=True)
class DiagnosisTarget:
    """One system as one user, which is to be diagnosed.

    Attributes:
        settings: connection to the system.
        partitions: ReFrame's names of its partitions, each with the options of sbatch that place a job in
            the partition. The empty name stands for the environment's settings, which have no partition.
    """

    settings: Settings
    partitions: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"": ()})


@dataclass
class CheckContext:
    """One diagnosis.

    Attributes:
        target: the system.
        connection: connection to its gateway, which one of the checks opens.
        timeout: seconds to wait for each job.
        statuses: the gateway's status, as often as it was requested, oldest first.
        max_direct: largest direct upload in bytes; set by the check of the system.
    """

    target: DiagnosisTarget
    connection: StandaloneConnection
    timeout: float
    statuses: list[GatewayStatus] = field(default_factory=list)
    max_direct: int = 0

    @property
    def gateway(self) -> Gateway:
        """The gateway, once it is open."""
        return self.connection.gateway

    @property
    def settings(self) -> Settings:
        """Connection settings of the system."""
        return self.target.settings

    @property
    def health(self) -> SystemHealth:
        """The system's health in the gateway's last status."""
        return self.statuses[-1].systems.get(self.settings.system, SystemHealth())
