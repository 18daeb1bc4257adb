"""Nodes, partitions, reservations and accounts: the answers of ``/status/{system}/…`` as plain data."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from reframe_firecrest.gateway.field_types import (
    Answer,
    Count,
    Name,
    NodeName,
    NodeSet,
    Seconds,
    names,
    node_states,
    valid,
)
from reframe_firecrest.model.system import AccountInfo, NodeInfo, PartitionInfo, ReservationInfo


def _items(value: Any) -> list[str]:
    """Split a value that is a list in some versions and a text with commas in others."""
    if value is None:
        return []
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("neither a text nor a list of texts")
    return [item.strip() for item in items if item.strip() not in ("", "(null)")]


def _names(values: list[str]) -> list[str]:
    return names(values, "partition or feature of a node")


_Items = Annotated[list[str], BeforeValidator(_items)]
_Names = Annotated[_Items, AfterValidator(_names)]
_States = Annotated[_Items, AfterValidator(node_states)]


class _Node(Answer):
    name: NodeName
    state: _States = Field(default_factory=list)
    partitions: _Names = Field(default_factory=list)
    features: _Names = Field(default_factory=list)
    cpus: Count | None = None
    allocated: Count | None = Field(default=None, alias="allocCpus")
    idle: Count | None = Field(default=None, alias="idleCpus")
    memory: Count | None = Field(default=None, alias="allocMemory")
    """All memory of the node, in MiB: FirecREST fills this field from sinfo's ``%m`` (2.5.6)."""


class _Nodes(Answer):
    nodes: list[Any] | None = None


class _Partition(Answer):
    name: Name
    nodes: Count | None = Field(default=None, alias="totalNodes")
    cpus: Count | None = None


class _Partitions(Answer):
    partitions: list[Any] | None = None


class _Reservation(Answer):
    name: Name
    nodes: NodeSet = Field(default="", alias="nodeList")
    start: Seconds = Field(default=None, alias="startTime")
    end: Seconds = Field(default=None, alias="endTime")


class _Reservations(Answer):
    reservations: list[Any] | None = None


class _Account(Answer):
    name: Name
    default: bool | None = None


class _UserInfo(Answer):
    accounts: list[Any] | None = None


def parse_nodes(answer: object) -> list[NodeInfo]:
    """Parse the answer of ``/status/{system}/nodes``."""
    return [
        NodeInfo(
            name=node.name,
            states=tuple(state.upper() for state in node.state),
            partitions=tuple(dict.fromkeys(node.partitions)),
            features=tuple(node.features),
            cpus=node.cpus or 0,
            allocated=node.allocated or 0,
            idle=node.idle or 0,
            memory=node.memory or 0,
        )
        for node in valid(_Node, _Nodes.model_validate(answer).nodes, "node")
    ]


def parse_partitions(answer: object) -> list[PartitionInfo]:
    """Parse the answer of ``/status/{system}/partitions``."""
    found = valid(_Partition, _Partitions.model_validate(answer).partitions, "partition")
    return [PartitionInfo(part.name, part.nodes or 0, part.cpus or 0) for part in found]


def parse_reservations(answer: object) -> list[ReservationInfo]:
    """Parse the answer of ``/status/{system}/reservations``."""
    found = valid(_Reservation, _Reservations.model_validate(answer).reservations, "reservation")
    return [ReservationInfo(entry.name, entry.nodes, entry.start, entry.end) for entry in found]


def parse_accounts(answer: object) -> list[AccountInfo]:
    """Return the user's accounts from the answer of ``/status/{system}/userinfo``."""
    found = valid(_Account, _UserInfo.model_validate(answer).accounts, "account")
    return [AccountInfo(account.name, bool(account.default)) for account in found]
