"""Ask the gateway about a system: its nodes, partitions and accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.commands.detect.groups import NodeGroup, node_groups, reframe_name
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.model.errors import DetectionError
from reframe_firecrest.model.system import AccountInfo, Cluster, ReservationInfo, SystemInfo
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.session.registry import connect
from reframe_firecrest.session.session import Connect
from reframe_firecrest.session.standalone import run_on_loop, standalone_gateway
from reframe_firecrest.settings import Settings

TIMEOUT = 120.0
"""Seconds for the whole survey."""

DEFAULT_TOPOLOGY_PREFIX = Path("~/.reframe/topology")
"""ReFrame's own default of ``general/topology_prefix``."""


@dataclass(frozen=True)
class Survey:
    """A system as its gateway describes it.

    Attributes:
        system: the system.
        groups: groups of nodes, each of which becomes a partition of ReFrame.
        account: the account to charge; None if jobs need not name one.
        other_accounts: the user's other accounts.
        reservations: the system's reservations.
    """

    system: SystemInfo
    groups: Sequence[NodeGroup]
    account: str | None = None
    other_accounts: tuple[str, ...] = ()
    reservations: tuple[ReservationInfo, ...] = ()


def make_survey(
    system: SystemInfo, cluster: Cluster, accounts: Sequence[AccountInfo], chosen: str | None
) -> Survey:
    """Combine the gateway's answers.

    Args:
        system: the system.
        cluster: its nodes, partitions and reservations.
        accounts: the user's accounts.
        chosen: the account in the settings, which takes precedence over the user's default.

    Raises:
        DetectionError: no partition has nodes.
    """
    groups = node_groups(cluster)
    if not groups:
        raise DetectionError(f"the gateway lists no partition of {system.name!r} with nodes")
    account = chosen or next((entry.name for entry in accounts if entry.default), None)
    others = tuple(entry.name for entry in accounts if entry.name != account)
    return Survey(system, groups, account, others, tuple(cluster.reservations))


def survey_system(settings: Settings, connect: Connect = connect) -> Survey:
    """Ask for the system, its nodes and partitions, and the user's accounts.

    Raises:
        GatewayError: a request failed, or the survey timed out.
        DetectionError: no partition has nodes.
    """

    async def ask() -> Survey:
        async with standalone_gateway(settings, connect) as gateway:
            system = await gateway.connect()
            cluster, accounts = await asyncio.gather(gateway.cluster(), gateway.accounts())
        return make_survey(system, cluster, accounts, settings.account)

    message = f"the gateway did not describe {settings.system!r} within {format_duration(TIMEOUT)}"
    return run_on_loop(ask(), TIMEOUT, message)


def targets_of_survey(survey: Survey, settings: Settings, prefix: Path) -> list[Target]:
    """Return the partitions of the configuration that is written from a survey."""
    system = reframe_name(survey.system.name)
    return [
        Target(system, group.name, (*group.access(survey.account), *group.probe()), settings, prefix)
        for group in survey.groups
    ]
