"""Cancel the jobs of runs and remove the runs' directories, on all systems at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack

from reframe_firecrest.commands.clean.residue import RemoteResidue
from reframe_firecrest.commands.clean.system_cleaner import SystemCleaner
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.errors import TransientError
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.session.registry import connect
from reframe_firecrest.session.session import Connect
from reframe_firecrest.session.standalone import run_on_loop

TIMEOUT = 600.0
"""Seconds for the whole clean-up."""


def clean_up(residues: Sequence[RemoteResidue], *, dry_run: bool, connect: Connect = connect) -> None:
    """Cancel the jobs of runs and remove the runs' directories; the results are noted in the residues.

    Args:
        residues: residues of runs that are over.
        dry_run: change nothing; only note the jobs and directories.
        connect: makes the connection to a gateway.
    """
    message = f"cleaning up did not finish within {format_duration(TIMEOUT)}"
    try:
        run_on_loop(_clean_up(residues, connect, dry_run=dry_run), TIMEOUT, message)
    except TransientError as error:
        for residue in residues:
            if not residue.removed:
                residue.add_doubt(str(error))


async def _clean_up(residues: Sequence[RemoteResidue], connect: Connect, *, dry_run: bool) -> None:
    systems = [SystemCleaner(group) for group in _by_system(residues)]
    async with AsyncExitStack() as gateways:
        await asyncio.gather(*(system.connect(gateways, connect) for system in systems))
        if dry_run:
            await asyncio.gather(*(system.inspect() for system in systems))
            return
        await _cancel_and_remove(systems, residues)
        reached = [residue for residue in residues if residue.reached]
        settled = [residue.settled for residue in reached if residue.settled]
        if settled or any(residue.cancelled for residue in reached):
            await asyncio.sleep(max(settled, default=0.0) - clock())
            await _cancel_and_remove(systems, residues, again=True)


async def _cancel_and_remove(
    systems: Sequence[SystemCleaner], residues: Sequence[RemoteResidue], *, again: bool = False
) -> None:
    await asyncio.gather(*(system.cancel_jobs(again=again) for system in systems))
    in_use = _in_use(residues)
    await asyncio.gather(*(system.remove(in_use, again=again) for system in systems))


def _in_use(residues: Iterable[RemoteResidue]) -> set[str]:
    """Return directories that jobs may be using on any of the systems, which can share a file system."""
    return {residue.root for residue in residues if residue.left or residue.jobs_unknown}


def _by_system(residues: Iterable[RemoteResidue]) -> Iterable[list[RemoteResidue]]:
    groups: dict[tuple[object, ...], list[RemoteResidue]] = {}
    for residue in residues:
        groups.setdefault(residue.settings.session_key, []).append(residue)
    return groups.values()
