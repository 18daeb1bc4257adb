"""Which partitions of ReFrame a system's nodes become."""

from __future__ import annotations

from reframe_firecrest.commands.detect.groups import MAX_GROUPS, NodeGroup, node_groups, reframe_name
from reframe_firecrest.model.system import Cluster, NodeInfo, PartitionInfo


def node(name: str, features: str = "", partitions: str = "normal", state: str = "IDLE") -> NodeInfo:
    named = tuple(features.split(",")) if features else ()
    return NodeInfo(name, (state,), tuple(partitions.split(",")), named, 16, 0, 16)


def groups(*nodes: NodeInfo, partitions: str = "normal") -> dict[str, NodeGroup]:
    known = [PartitionInfo(name, len(nodes), 16) for name in partitions.split(",")]
    return {group.name: group for group in node_groups(Cluster(nodes, known, []))}


def test_nodes_alike_are_one_partition_without_a_constraint() -> None:
    found = groups(node("n1", "mc,lab"), node("n2", "lab,mc"))
    assert list(found) == ["normal"]
    assert found["normal"].access("staff") == ["--partition=normal", "--account=staff"]
    assert found["normal"].access(None) == ["--partition=normal"]
    assert found["normal"].features == ("mc", "lab")
    assert len(found["normal"].nodes) == 2


def test_nodes_that_differ_are_distinguished_by_what_only_they_have() -> None:
    found = groups(node("n1", "amd,cpu"), node("n2", "amd,gpu,a100"), node("n3", "amd,gpu,h100"))
    assert list(found) == ["normal-cpu", "normal-a100", "normal-h100"]
    assert found["normal-a100"].access(None)[-1] == "--constraint=a100"
    assert found["normal-a100"].features == ("amd", "gpu", "a100")
    assert all(group.exact and group.probe() == [] for group in found.values())


def test_without_a_feature_of_their_own_the_combination_is_the_constraint() -> None:
    found = groups(node("n1", "a,b"), node("n2", "b,c"), node("n3", "a,c"))
    assert found["normal-a-b"].access(None)[-1] == "--constraint=a&b"
    assert found["normal-a-b"].exact


def test_a_kind_that_cannot_be_distinguished_is_marked_and_its_node_named_for_the_detection() -> None:
    found = groups(node("n1", "mc", state="DRAIN"), node("n2", "mc", state="MIXED"), node("n3", "mc,big"))
    plain = found["normal"]
    assert (plain.constraint, plain.exact) == ((), False)
    assert plain.probe() == ["--nodelist=n2"]
    assert found["normal-big"].exact


def test_an_idle_node_is_taken_for_the_detection_if_there_is_one() -> None:
    found = groups(node("n1", state="MIXED"), node("n2"), node("n3", "big"))
    assert found["normal"].probe() == ["--nodelist=n2"]
    found = groups(node("n1", state="DOWN"), node("n3", "big"))
    assert found["normal"].probe() == []


def test_a_node_may_be_in_several_partitions() -> None:
    found = groups(node("n1", "a", "normal,debug"), node("n2", "b"), partitions="normal,debug")
    assert list(found) == ["normal-a", "normal-b", "debug"]


def test_too_many_kinds_are_left_together() -> None:
    found = groups(*(node(f"n{number}", f"mc,rack{number}") for number in range(MAX_GROUPS + 1)))
    assert list(found) == ["normal"]
    assert found["normal"].kinds == MAX_GROUPS + 1
    assert found["normal"].features == ("mc",)
    assert found["normal"].constraint == ()


def test_a_partition_without_nodes_is_left_out_unless_the_gateway_keeps_them_to_itself() -> None:
    untold = NodeInfo("n1", ("IDLE",), (), (), 16, 0, 16)
    partitions = [PartitionInfo("normal", 4, 64), PartitionInfo("empty", 0, 0)]
    [group] = node_groups(Cluster([untold], partitions, []))
    assert (group.name, group.nodes, group.features) == ("normal", (), ())


def test_features_that_reframe_does_not_understand_are_not_used() -> None:
    assert list(groups(node("n1", "mc,gpu:4"), node("n2", "mc,gpu*2"))) == ["normal"]


def test_names_are_reframes_and_differ() -> None:
    assert reframe_name("my.cluster") == "my_cluster"
    assert reframe_name("9nodes", "a b") == "_9nodes-a_b"
    found = groups(node("n1", "", "a.b"), node("n2", "", "a b"), partitions="a.b,a b")
    assert {name: group.partition for name, group in found.items()} == {"a_b": "a.b", "a_b-2": "a b"}
