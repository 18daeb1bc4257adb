"""Cancels jobs of runs and removes the runs' directories, on all systems at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import TimeoutError as FuturesTimeoutError

from reframe_firecrest.commands.clean.residue import RemoteResidue
from reframe_firecrest.commands.clean.system_cleaner import SystemCleaner
from reframe_firecrest.model.clock import clock
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.registry import connect
from reframe_firecrest.session.session import Connect

PATIENCE = 600.0
"""Seconds for everything."""


def clean_up(residues: Sequence[RemoteResidue], *, dry_run: bool, connect: Connect = connect) -> None:
    """Cancel the jobs of runs and remove the runs' directories; what came of it is noted in the leftovers.

    Args:
        residues: of runs that are over.
        dry_run: only look.
        connect: makes the connection to a gateway.
    """
    # Not on this thread: Ctrl-C in the middle of a loop leaves a trail of tasks that complain.
    try:
        reactor().run(_clean_up(residues, connect, dry_run=dry_run), PATIENCE)
    except FuturesTimeoutError:
        for residue in residues:
            if not residue.removed:
                residue.doubt(f"it was not done within {PATIENCE:.0f} s")


async def _clean_up(residues: Sequence[RemoteResidue], connect: Connect, *, dry_run: bool) -> None:
    systems = [SystemCleaner(mine, connect) for mine in _by_system(residues)]
    try:
        await asyncio.gather(*(system.connect() for system in systems))
        if dry_run:
            await asyncio.gather(*(system.look() for system in systems))
            return
        await asyncio.gather(*(system.end_jobs() for system in systems))
        await asyncio.gather(*(system.remove(_in_use(residues)) for system in systems))
        reached = [residue for residue in residues if residue.reached]
        settled = [residue.settled for residue in reached if residue.settled]
        if settled or any(residue.cancelled for residue in reached):
            await asyncio.sleep(max(settled, default=0.0) - clock())
            await asyncio.gather(*(system.end_jobs(again=True) for system in systems))
            await asyncio.gather(*(system.remove(_in_use(residues), again=True) for system in systems))
    finally:
        await asyncio.gather(*(system.close() for system in systems))


def _in_use(residues: Iterable[RemoteResidue]) -> set[str]:
    """Name the directories that jobs may be using, on any system: several can share a file system."""
    return {residue.root for residue in residues if residue.left or residue.unclear}


def _by_system(residues: Iterable[RemoteResidue]) -> Iterable[list[RemoteResidue]]:
    found: dict[tuple[object, ...], list[RemoteResidue]] = {}
    for residue in residues:
        found.setdefault(residue.settings.session_key, []).append(residue)
    return found.values()
