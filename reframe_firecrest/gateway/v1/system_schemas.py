"""FirecREST v1's answers about systems and about itself as plain data.

Invalid answers raise pydantic's `ValidationError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field

from reframe_firecrest.gateway.field_types import (
    Answer,
    Count,
    Line,
    Name,
    NodeName,
    NodeSet,
    Path,
    line,
    names,
    node_states,
    valid,
)
from reframe_firecrest.gateway.v1.field_types import Text
from reframe_firecrest.model.system import NodeInfo, PartitionInfo, ReservationInfo


class _Node(Answer):
    name: NodeName = Field(alias="NodeName")
    states: Annotated[list[str], AfterValidator(node_states)] | None = Field(default=None, alias="State")
    partitions: list[str] | None = Field(default=None, alias="Partitions")
    features: list[str] | None = Field(default=None, alias="ActiveFeatures")


class _Partition(Answer):
    name: Name = Field(alias="PartitionName")
    nodes: Count = Field(default=0, alias="TotalNodes")
    cpus: Count = Field(default=0, alias="TotalCPUs")


class _Reservation(Answer):
    name: Name = Field(alias="ReservationName")
    nodes: NodeSet = Field(default="", alias="Nodes")


class _Cluster(Answer):
    entries: list[Any] = Field(default_factory=list)


def parse_nodes(data: object) -> list[NodeInfo]:
    """Parse the data of ``/compute/nodes``, which has no CPU counts."""
    return [
        NodeInfo(
            name=node.name,
            states=tuple(state.upper() for state in _known(node.states)),
            partitions=tuple(dict.fromkeys(_names(node.partitions))),
            features=tuple(_names(node.features)),
            cpus=0,
            allocated=0,
            idle=0,
        )
        for node in valid(_Node, _entries_of(data), "node")
    ]


def parse_partitions(data: object) -> list[PartitionInfo]:
    """Parse the data of ``/compute/partitions``."""
    found = valid(_Partition, _entries_of(data), "partition")
    return [PartitionInfo(part.name, part.nodes, part.cpus) for part in found]


def parse_reservations(data: object) -> list[ReservationInfo]:
    """Parse the data of ``/compute/reservations``."""
    found = valid(_Reservation, _entries_of(data), "reservation")
    return [ReservationInfo(entry.name, entry.nodes) for entry in found]


def _entries_of(data: object) -> list[Any]:
    return _Cluster.model_validate({"entries": data or []}).entries


def _known(values: list[str] | None) -> list[str]:
    return [value for value in values or [] if value not in ("", "(null)")]


def _names(values: list[str] | None) -> list[str]:
    return names(_known(values), "partition or feature of a node")


class _FileSystems(Answer):
    system: Name
    mounted: list[Path] = Field(default_factory=list)


class _Parameter(Answer):
    name: str
    value: Any = None


class _Parameters(Answer):
    out: dict[str, list[_Parameter]]


@dataclass(frozen=True)
class Parameters:
    """Version and limits of a gateway.

    Attributes:
        version: of FirecREST; reported from 1.16.1 on.
        object_storage: kind of the storage for large files, such as ``s3v4`` or ``swift``.
        file_systems: of each system, if they are reported.
        max_direct: bytes of a file that the gateway transfers directly.
        max_stored: bytes that a file in the storage may have.
        longest_command: seconds after which the gateway ends a file command.
    """

    version: str | None
    object_storage: str
    file_systems: Mapping[str, Sequence[str]]
    max_direct: int | None
    max_stored: int | None
    longest_command: float | None = None


def parse_parameters(answer: object) -> Parameters:
    """Parse the answer of ``/status/parameters``."""
    groups = _Parameters.model_validate(answer).out
    values = {entry.name: entry.value for group in groups.values() for entry in group}
    version, mounted = values.get("FIRECREST_VERSION"), values.get("FILESYSTEMS")
    systems = map(_FileSystems.model_validate, mounted if isinstance(mounted, list) else [])
    return Parameters(
        line(version) if isinstance(version, str) and version else None,
        line(str(values.get("OBJECT_STORAGE") or "")),
        {entry.system: entry.mounted for entry in systems},
        _mebibytes(values.get("UTILITIES_MAX_FILE_SIZE")),
        _mebibytes(values.get("STORAGE_MAX_FILE_SIZE")),
        _seconds(values.get("UTILITIES_TIMEOUT")),
    )


def _seconds(value: object) -> float | None:
    """Convert a limit to seconds; the gateway sends it as text."""
    return None if value is None else min(max(float(str(value)), 0.0), 3600.0)


def _mebibytes(value: object) -> int | None:
    """Convert a limit to bytes; the gateway sends MiB as text."""
    return None if value is None else min(max(int(float(str(value)) * 1024 * 1024), 0), 2**63 - 1)


class _Available(Answer):
    name: Annotated[Name, Field(validation_alias=AliasChoices("system", "service"))]
    status: Line = ""
    description: Annotated[Text, AfterValidator(line)] = ""


class _AllAvailable(Answer):
    out: list[Any]


def parse_unavailable_services(answer: object) -> dict[str, str | None]:
    """Return the problem of each entry of ``/status/systems`` or ``/status/services``, None for none."""
    return {
        entry.name: None if entry.status == "available" else entry.description or entry.status
        for entry in valid(_Available, _AllAvailable.model_validate(answer).out, "system")
    }
