"""Sorts nodes into what should become ReFrame's partitions. Pure functions.

A test asks ReFrame for a partition by its features, so nodes that differ in them belong to different ones.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reframe_firecrest.model.system import Cluster, NodeInfo, PartitionInfo

MAX_GROUPS = 8
"""Sites mark racks and switches with features too; more kinds of nodes than this are left together."""

_USABLE = re.compile(r"[\w.-]+")
"""Features that ReFrame understands in a constraint (``_SlurmNode.satisfies``)."""

_UNAVAILABLE = {"DOWN", "DRAIN", "OFFLINE", "POWERING_DOWN", "UNKNOWN"}


@dataclass(frozen=True)
class NodeGroup:
    """Nodes of one Slurm partition that have the same features: one partition of ReFrame.

    Attributes:
        name: the ReFrame partition's.
        partition: the Slurm partition's.
        constraint: features that choose these nodes.
        features: all features that these nodes have in common.
        nodes: none where the gateway does not tell which belong to the partition.
        kinds: how many kinds of nodes there are in it; more than one if there were too many to separate.
        exact: the constraint chooses no others.
    """

    name: str
    partition: str
    constraint: tuple[str, ...]
    features: tuple[str, ...]
    nodes: tuple[NodeInfo, ...]
    kinds: int = 1
    exact: bool = True

    def access(self, account: str | None) -> list[str]:
        """Return the options of sbatch that bring a job to these nodes."""
        options = [f"--partition={self.partition}"]
        if account:
            options.append(f"--account={account}")
        if self.constraint:
            options.append(f"--constraint={'&'.join(self.constraint)}")
        return options

    def probe(self) -> list[str]:
        """Return further options for a job that has to come to one of these nodes and no other."""
        usable = [node for node in self.nodes if not _UNAVAILABLE & set(node.states)]
        if self.exact or not usable:
            return []
        idle = [node for node in usable if "IDLE" in node.states]
        return [f"--nodelist={(idle or usable)[0].name}"]


def reframe_name(*words: str) -> str:
    """Return words as a name that ReFrame accepts: a letter or ``_``, then letters, digits, ``_``, ``-``."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", "-".join(words))
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def node_groups(cluster: Cluster) -> list[NodeGroup]:
    """Return the groups of all partitions that have nodes; their names differ."""
    found: list[NodeGroup] = []
    for partition in cluster.partitions:
        nodes = [node for node in cluster.nodes if partition.name in node.partitions]
        if nodes or partition.nodes:
            found += _groups(partition, nodes)
    return _with_different_names(found)


def _groups(partition: PartitionInfo, nodes: Sequence[NodeInfo]) -> list[NodeGroup]:
    kinds: dict[frozenset[str], list[NodeInfo]] = defaultdict(list)
    for node in nodes:
        kinds[frozenset(_usable(node))].append(node)
    common = frozenset.intersection(*kinds) if kinds else frozenset()
    if not 1 < len(kinds) <= MAX_GROUPS:
        shared = _ordered(common, nodes)
        name = reframe_name(partition.name)
        return [NodeGroup(name, partition.name, (), shared, tuple(nodes), max(1, len(kinds)))]
    groups = []
    for features, members in kinds.items():
        others = [other for other in kinds if other != features]
        constraint = _constraint(_ordered(features - common, members), others)
        groups.append(
            NodeGroup(
                reframe_name(partition.name, *constraint),
                partition.name,
                constraint,
                _ordered(features, members),
                tuple(members),
                exact=not any(set(constraint) <= other for other in others),
            )
        )
    return groups


def _usable(node: NodeInfo) -> list[str]:
    return [feature for feature in node.features if _USABLE.fullmatch(feature)]


def _ordered(features: frozenset[str], nodes: Sequence[NodeInfo]) -> tuple[str, ...]:
    """Return features in the order in which the nodes show them."""
    shown = dict.fromkeys(feature for node in nodes for feature in _usable(node))
    return tuple(feature for feature in shown if feature in features)


def _constraint(own: tuple[str, ...], others: Iterable[frozenset[str]]) -> tuple[str, ...]:
    """Choose the one feature that no other node has, if there is one; otherwise take them all."""
    elsewhere = frozenset[str]().union(*others)
    alone = [feature for feature in own if feature not in elsewhere]
    return tuple(alone[:1]) or own


def _with_different_names(groups: Iterable[NodeGroup]) -> list[NodeGroup]:
    taken: set[str] = set()
    named = []
    for group in groups:
        name, number = group.name, 1
        while name in taken:
            number += 1
            name = f"{group.name}-{number}"
        taken.add(name)
        named.append(replace(group, name=name))
    return named
