"""Asks the gateway what it knows of a system."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FuturesTimeoutError
from dataclasses import dataclass

from reframe_firecrest.commands.detect.groups import NodeGroup, node_groups
from reframe_firecrest.model.errors import DetectionError, TransientError
from reframe_firecrest.model.system import AccountInfo, Cluster, SystemInfo
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.registry import connect
from reframe_firecrest.session.session import Connect
from reframe_firecrest.settings import Settings

PATIENCE = 120.0
"""Seconds for all that the gateway has to tell."""


@dataclass(frozen=True)
class Survey:
    """What the gateway knows.

    Attributes:
        system: the system.
        groups: what should become ReFrame's partitions.
        account: the account to charge; None if jobs need not name one.
        other_accounts: what else could be charged.
    """

    system: SystemInfo
    groups: Sequence[NodeGroup]
    account: str | None = None
    other_accounts: tuple[str, ...] = ()


def make_survey(
    system: SystemInfo, cluster: Cluster, accounts: Sequence[AccountInfo], chosen: str | None
) -> Survey:
    """Sort what the gateway said.

    Args:
        system: the system.
        cluster: its nodes and partitions.
        accounts: the user's.
        chosen: the account that the settings name; it goes before the user's default.

    Raises:
        DetectionError: there is no partition with nodes.
    """
    groups = node_groups(cluster)
    if not groups:
        raise DetectionError(f"the gateway shows no partition of {system.name!r} that has nodes")
    account = chosen or next((entry.name for entry in accounts if entry.default), None)
    others = tuple(entry.name for entry in accounts if entry.name != account)
    return Survey(system, groups, account, others)


def survey_system(settings: Settings, connect: Connect = connect) -> Survey:
    """Ask for the system, its nodes and partitions, and the user's accounts.

    Raises:
        GatewayError: the gateway does not tell.
        DetectionError: there is no partition with nodes.
    """

    async def ask() -> Survey:
        connection = connect(settings)
        try:
            gateway = await connection.open_gateway()
            system = await gateway.connect()
            cluster, accounts = await asyncio.gather(gateway.cluster(), gateway.accounts())
        finally:
            await connection.close()
        return make_survey(system, cluster, accounts, settings.account)

    # Not on this thread: Ctrl-C in the middle of a loop leaves a trail of tasks that complain.
    try:
        return reactor().run(ask(), PATIENCE)
    except FuturesTimeoutError:
        raise TransientError(
            f"the gateway did not tell about {settings.system!r} within {PATIENCE:.0f} s"
        ) from None
