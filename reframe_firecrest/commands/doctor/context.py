"""Input of the checks, and results that later checks use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model.capabilities import Capabilities
from reframe_firecrest.model.directives import account_in, directive
from reframe_firecrest.model.gateway_status import GatewayStatus, SystemHealth
from reframe_firecrest.session.standalone import StandaloneConnection
from reframe_firecrest.settings import ENVIRONMENT, Settings
from reframe_firecrest.settings.secrets import VARIABLE


@dataclass(frozen=True)
class DiagnosisTarget:
    """One system as one user, which is to be diagnosed.

    Attributes:
        settings: connection to the system.
        partitions: ReFrame's names of its partitions, each with the options of sbatch that place a job in
            the partition. The empty name stands for the environment's settings, which have no partition.
        config: ReFrame's configuration file; None if there is none.
        origins: source of each setting that is not a default.
    """

    settings: Settings
    partitions: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"": ()})
    config: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass
class CheckContext:
    """One diagnosis.

    Attributes:
        target: the system.
        connection: connection to its gateway, which one of the checks opens.
        timeout: seconds to wait for each job.
        statuses: the gateway's status, as often as it was requested, oldest first.
        capabilities: what the gateway can do for the system; set by the check of the system.
    """

    target: DiagnosisTarget
    connection: StandaloneConnection
    timeout: float
    statuses: list[GatewayStatus] = field(default_factory=list)
    capabilities: Capabilities = field(default_factory=Capabilities)

    @property
    def gateway(self) -> Gateway:
        """The gateway, once it is open."""
        return self.connection.gateway

    @property
    def settings(self) -> Settings:
        """Connection settings of the system."""
        return self.target.settings

    @property
    def transfer_account(self) -> str | None:
        """Account for transfer jobs, from the settings or from the options of a partition."""
        scripts = ("\n".join(map(directive, options)) for options in self.target.partitions.values())
        return self.settings.account or next(filter(None, map(account_in, scripts)), None)

    @property
    def accounts(self) -> Mapping[str | None, str]:
        """Accounts of jobs in the partitions, each with the place that names it; None is Slurm's default."""
        origin = self.target.origins.get("account")
        in_settings = f"'account' in {origin}" if origin and not origin.startswith(VARIABLE) else None
        found: dict[str | None, str] = {}
        for partition, options in self.target.partitions.items():
            named = account_in("\n".join(map(directive, options)))
            place = f"--account in the access options of {partition}" if named else in_settings
            found.setdefault(named or self.settings.account, place or ENVIRONMENT["account"])
        return found

    @property
    def health(self) -> SystemHealth:
        """The system's health in the gateway's last status."""
        return self.statuses[-1].systems.get(self.settings.system, SystemHealth())
