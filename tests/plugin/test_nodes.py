"""Nodes as ReFrame's backend reads them out of scontrol's descriptions."""

from __future__ import annotations

import pytest
from reframe.core.schedulers.slurm import SlurmJobScheduler, _SlurmNode

from reframe_firecrest.gateway.v2.cluster_schemas import parse_nodes, parse_partitions, parse_reservations
from reframe_firecrest.model.system import NodeInfo, PartitionInfo
from reframe_firecrest.plugin.nodes import default_partition, describe, scontrol_states, select


def node(*states: str, allocated: int = 0, idle: int = 16, name: str = "nid001") -> NodeInfo:
    return NodeInfo(name, states, ("normal", "debug"), ("mc", "gpu"), 16, allocated, idle)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (node("IDLE"), "IDLE"),
        (node("ALLOCATED", allocated=16, idle=0), "ALLOCATED"),
        (node("MIXED", allocated=4, idle=12), "MIXED"),
        (node("DRAIN", idle=0), "IDLE+DRAIN"),
        (node("DRAIN", allocated=16, idle=0), "ALLOCATED+DRAIN"),
        (node("DRAIN", allocated=8, idle=8), "MIXED+DRAIN"),
        (node("RESERVED"), "IDLE+RESERVED"),
        (node("OFFLINE", idle=0), "IDLE+MAINTENANCE"),
        (node("DOWN", idle=0), "DOWN"),
        # The gateway says UNKNOWN for what sinfo calls planned.
        (node("UNKNOWN"), "IDLE+PLANNED"),
        (node("UNKNOWN", idle=0), "UNKNOWN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_states_are_those_that_scontrol_would_show(given: NodeInfo, expected: str) -> None:
    assert scontrol_states(given) == expected


def test_reframe_reads_the_description() -> None:
    read = _SlurmNode(describe(node("DRAIN", idle=0)))
    assert read.name == "nid001"
    assert read.partitions == {"normal", "debug"}
    assert read.in_state("drain")
    assert not read.in_statex("idle")
    assert read.satisfies("mc&gpu")
    assert not read.satisfies("mc&fpga")


@pytest.mark.parametrize(("state", "available"), [("IDLE", True), ("UNKNOWN", True), ("DOWN", False)])
def test_availability_is_decided_as_on_a_login_node(state: str, available: bool) -> None:
    scheduler = object.__new__(SlurmJobScheduler)
    scheduler._available_states = {"ALLOCATED", "COMPLETING", "IDLE", "PLANNED", "RESERVED"}
    assert scheduler.is_node_avail(_SlurmNode(describe(node(state)))) is available


def test_nodes_are_picked_by_a_node_set() -> None:
    nodes = [node("IDLE", name=f"nid00{number}") for number in range(1, 5)]
    assert [found.name for found in select(nodes, "nid00[2-3],nid009")] == ["nid002", "nid003"]
    with pytest.raises(ValueError, match="not a node set"):
        select(nodes, "nid[1-")


def test_the_default_partition_is_what_is_configured_or_the_only_one() -> None:
    normal, debug = PartitionInfo("normal", 4, 64), PartitionInfo("debug", 2, 32)
    assert default_partition([normal, debug], "debug") == "debug"
    assert default_partition([normal], None) == "normal"
    assert default_partition([normal, debug], None) is None


def test_answers_of_several_versions_are_read_alike() -> None:
    as_text = {"name": "n1", "state": ["idle"], "features": "mc,lab", "partitions": ["normal"], "idleCpus": 2}
    as_list = {**as_text, "features": ["mc", "lab"], "partitions": "normal", "state": "IDLE"}
    assert parse_nodes({"nodes": [as_text]}) == parse_nodes({"nodes": [as_list]})
    assert parse_nodes({"nodes": None}) == []
    assert parse_partitions(
        {"partitions": [{"name": "p", "partition": "UP", "totalNodes": 2, "cpus": 4}]}
    ) == [PartitionInfo("p", 2, 4)]
    [reservation] = parse_reservations({"reservations": [{"name": "r", "nodeList": "nid[1-2]"}]})
    assert (reservation.name, reservation.nodes) == ("r", "nid[1-2]")
