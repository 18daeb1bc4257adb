"""Cancels jobs of runs and removes the runs' directories, on all systems at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import TimeoutError as FuturesTimeoutError

from reframe_firecrest.cleaning.leftovers import Leftover
from reframe_firecrest.cleaning.system import System
from reframe_firecrest.clock import clock
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.registry import make_gateway
from reframe_firecrest.session.session import MakeGateway

PATIENCE = 600.0
"""Seconds for everything."""


def sweep(leftovers: Sequence[Leftover], *, dry_run: bool, open_gateway: MakeGateway = make_gateway) -> None:
    """Cancel the jobs of runs and remove the runs' directories; what came of it is noted in the leftovers.

    Args:
        leftovers: of runs that are over.
        dry_run: only look.
        open_gateway: makes a gateway.
    """
    # Not on this thread: Ctrl-C in the middle of a loop leaves a trail of tasks that complain.
    try:
        reactor().run(_sweep(leftovers, open_gateway, dry_run=dry_run), PATIENCE)
    except FuturesTimeoutError:
        for leftover in leftovers:
            if not leftover.removed:
                leftover.doubt(f"it was not done within {PATIENCE:.0f} s")


async def _sweep(leftovers: Sequence[Leftover], open_gateway: MakeGateway, *, dry_run: bool) -> None:
    systems = [System(mine, open_gateway) for mine in _by_system(leftovers)]
    try:
        await asyncio.gather(*(system.connect() for system in systems))
        if dry_run:
            await asyncio.gather(*(system.look() for system in systems))
            return
        await asyncio.gather(*(system.end_jobs() for system in systems))
        await asyncio.gather(*(system.remove(_in_use(leftovers)) for system in systems))
        reached = [leftover for leftover in leftovers if leftover.reached]
        settled = [leftover.settled for leftover in reached if leftover.settled]
        if settled or any(leftover.cancelled for leftover in reached):
            await asyncio.sleep(max(settled, default=0.0) - clock())
            await asyncio.gather(*(system.end_jobs(again=True) for system in systems))
            await asyncio.gather(*(system.remove(_in_use(leftovers), again=True) for system in systems))
    finally:
        await asyncio.gather(*(system.close() for system in systems))


def _in_use(leftovers: Iterable[Leftover]) -> set[str]:
    """Name the directories that jobs may be using, on any system: several can share a file system."""
    return {leftover.root for leftover in leftovers if leftover.left or leftover.unclear}


def _by_system(leftovers: Iterable[Leftover]) -> Iterable[list[Leftover]]:
    found: dict[tuple[object, ...], list[Leftover]] = {}
    for leftover in leftovers:
        found.setdefault(leftover.settings.session_key, []).append(leftover)
    return found.values()
