"""A system as its gateway and its scheduler describe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SystemInfo:
    """What the gateway says of a system.

    Attributes:
        name: the system's name, as in the API's paths.
        scheduler_version: the scheduler's version, such as ``22.05.8``; None where it is not told.
        max_direct_upload: bytes that a direct upload may have.
    """

    name: str
    scheduler_version: tuple[int, ...] | None
    max_direct_upload: int


@dataclass(frozen=True)
class NodeInfo:
    """A node, with the numbers of its CPUs.

    Attributes:
        states: in the gateway's words, upper case.
    """

    name: str
    states: tuple[str, ...]
    partitions: tuple[str, ...]
    features: tuple[str, ...]
    cpus: int
    allocated: int
    idle: int


@dataclass(frozen=True)
class PartitionInfo:
    """A partition of the scheduler, with the numbers of its nodes and CPUs."""

    name: str
    nodes: int
    cpus: int


@dataclass(frozen=True)
class ReservationInfo:
    """A reservation, with its nodes in Slurm's notation."""

    name: str
    nodes: str


@dataclass(frozen=True)
class AccountInfo:
    """An account that the user may charge.

    Attributes:
        default: it is charged where a job names none.
    """

    name: str
    default: bool = False


@dataclass(frozen=True)
class Cluster:
    """What a system consists of, as its scheduler sees it."""

    nodes: Sequence[NodeInfo]
    partitions: Sequence[PartitionInfo]
    reservations: Sequence[ReservationInfo]
