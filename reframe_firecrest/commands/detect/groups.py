"""Group nodes into partitions of ReFrame. Pure functions.

Tests select a ReFrame partition by its features, so nodes with different features need different partitions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reframe_firecrest.model.system import Cluster, NodeInfo, PartitionInfo

MAX_GROUPS = 8
"""Largest number of groups of one Slurm partition: more sets of features stay in one group, because sites
also use features for racks and switches."""

_USABLE = re.compile(r"[\w.-]+")
"""Pattern of features that ReFrame understands in a constraint (``_SlurmNode.satisfies``)."""

_UNAVAILABLE = {"DOWN", "DRAIN", "OFFLINE", "POWERING_DOWN", "UNKNOWN"}


@dataclass(frozen=True)
class NodeGroup:
    """Nodes of one Slurm partition with the same features, for one partition of ReFrame.

    Attributes:
        name: name of the ReFrame partition.
        partition: name of the Slurm partition.
        constraint: features that select these nodes.
        features: all features that the nodes have in common.
        nodes: the nodes; empty if the gateway does not report the partition's nodes.
        kinds: number of different sets of features; more than one if there are too many to separate.
        exact: the constraint selects no other nodes.
    """

    name: str
    partition: str
    constraint: tuple[str, ...]
    features: tuple[str, ...]
    nodes: tuple[NodeInfo, ...]
    kinds: int = 1
    exact: bool = True

    def access(self, account: str | None) -> list[str]:
        """Return the options of sbatch that place a job on these nodes."""
        options = [f"--partition={self.partition}"]
        if account:
            options.append(f"--account={account}")
        if self.constraint:
            options.append(f"--constraint={'&'.join(self.constraint)}")
        return options

    def probe(self) -> list[str]:
        """Return the additional options for a job that must not run on other nodes."""
        usable = [node for node in self.nodes if not _UNAVAILABLE & set(node.states)]
        if self.exact or not usable:
            return []
        idle = [node for node in usable if "IDLE" in node.states]
        return [f"--nodelist={(idle or usable)[0].name}"]


def reframe_name(*words: str) -> str:
    """Join words to a valid ReFrame name: a letter or ``_``, then letters, digits, ``_``, ``-``."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", "-".join(words))
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def node_groups(cluster: Cluster) -> list[NodeGroup]:
    """Return the groups of all partitions that have nodes, with unique names."""
    groups: list[NodeGroup] = []
    for partition in cluster.partitions:
        nodes = [node for node in cluster.nodes if partition.name in node.partitions]
        if nodes or partition.nodes:
            groups += _groups(partition, nodes)
    return _with_unique_names(groups)


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
    """Return features in the order in which the nodes list them."""
    listed = dict.fromkeys(feature for node in nodes for feature in _usable(node))
    return tuple(feature for feature in listed if feature in features)


def _constraint(own: tuple[str, ...], others: Iterable[frozenset[str]]) -> tuple[str, ...]:
    """Return a feature that no other node has, if there is one; otherwise all features."""
    elsewhere = frozenset[str]().union(*others)
    unique = [feature for feature in own if feature not in elsewhere]
    return tuple(unique[:1]) or own


def _with_unique_names(groups: Iterable[NodeGroup]) -> list[NodeGroup]:
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
