"""What checks work with, and what they have learned for those after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reframe_firecrest.gateway.protocol import Gateway, GatewayConnection
from reframe_firecrest.model.gateway_status import GatewayStatus, SystemHealth
from reframe_firecrest.model.job_follower import JobFollower
from reframe_firecrest.settings import Settings


@dataclass(frozen=True)
class DiagnosisTarget:
    """What is to be diagnosed: one system, as one user.

    Attributes:
        partitions: ReFrame's names for it, each with the options of sbatch that bring a job there. The
            empty name stands for the environment's settings, which know of no partition.
    """

    settings: Settings
    partitions: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"": ()})


@dataclass
class CheckContext:
    """A diagnosis under way.

    Attributes:
        connection: to the gateway.
        make_follower: makes the follower of the gateway's jobs.
        timeout: seconds for which a job is waited for.
        looks: at the gateway, in the order in which they were taken.
        max_direct: bytes that a direct upload may have; known once the system is.
    """

    target: DiagnosisTarget
    connection: GatewayConnection
    make_follower: Callable[[Gateway, Settings], JobFollower]
    timeout: float
    gateway: Gateway = field(init=False)
    follower: JobFollower = field(init=False)
    looks: list[GatewayStatus] = field(default_factory=list)
    max_direct: int = 0

    async def open_gateway(self) -> None:
        """Open the gateway, and follow its jobs."""
        self.gateway = await self.connection.open_gateway()
        self.follower = self.make_follower(self.gateway, self.settings)
        self.gateway.follow_jobs_with(self.follower)

    async def close(self) -> None:
        """Close the gateway, or the connection if the gateway was never opened."""
        await getattr(self, "gateway", self.connection).close()

    @property
    def settings(self) -> Settings:
        """What leads to the system."""
        return self.target.settings

    @property
    def health(self) -> SystemHealth:
        """How the gateway says that the system does, by the newest look."""
        return self.looks[-1].systems.get(self.settings.system, SystemHealth())
