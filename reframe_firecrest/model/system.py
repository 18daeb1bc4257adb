"""A system as its gateway and its scheduler describe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reframe_firecrest.model.capabilities import Capabilities


@dataclass(frozen=True)
class SystemInfo:
    """A system as its gateway describes it.

    Attributes:
        name: the system's name, as in the API's paths.
        capabilities: what the gateway can do for it.
    """

    name: str
    capabilities: Capabilities = field(default_factory=Capabilities)


@dataclass(frozen=True)
class NodeInfo:
    """A node, with the numbers of its CPUs.

    Attributes:
        states: as the gateway names them, in upper case.
        cpus: all CPUs; `allocated` and `idle` are parts of them.
        memory: memory that Slurm can allocate, in MiB; 0 if it is not reported.
    """

    name: str
    states: tuple[str, ...]
    partitions: tuple[str, ...]
    features: tuple[str, ...]
    cpus: int
    allocated: int
    idle: int
    memory: int = 0


@dataclass(frozen=True)
class PartitionInfo:
    """A partition of the scheduler, with the numbers of its nodes and CPUs."""

    name: str
    nodes: int
    cpus: int


@dataclass(frozen=True)
class ReservationInfo:
    """A reservation, with its nodes in Slurm's notation.

    Attributes:
        start: start in seconds since the epoch; None if it is not reported.
        end: end in seconds since the epoch; None if it is not reported.
    """

    name: str
    nodes: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class AccountInfo:
    """An account that the user may charge.

    Attributes:
        default: Slurm charges it if a job names no account.
    """

    name: str
    default: bool = False


@dataclass(frozen=True)
class Cluster:
    """Nodes, partitions and reservations of a system, as its scheduler reports them."""

    nodes: Sequence[NodeInfo]
    partitions: Sequence[PartitionInfo]
    reservations: Sequence[ReservationInfo]
