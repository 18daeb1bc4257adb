"""A gateway's view of a completed run: its jobs and leftovers."""

from __future__ import annotations

import asyncio
import posixpath
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.commands.clean.system_cleaner import RETRY_TIMEOUT
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.gateway.v2.orphaned_jobs import TRANSFER_JOB_NAMES
from reframe_firecrest.model import errors
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED, parts_of
from reframe_firecrest.session.standalone import run_on_loop, standalone_gateway
from reframe_firecrest.settings import Settings
from tests.faults.running import executed, without_token

PATIENCE = 600.0
"""Seconds for all that is asked."""
PAUSE = 2.0
"""Seconds between two queries for running jobs."""
LEDGER_SIZE = 10_000
"""Bytes of a ledger, about."""


@dataclass(frozen=True)
class Seen:
    """Contents of a namespace on the system.

    Attributes:
        jobs: name and state of the jobs in it that executed a test's commands, and how many of them.
        unfinished: jobs that were still there at the end, transfer jobs among them.
        remote: what lies there, with ``@`` for the name of the run that it is of.
    """

    jobs: dict[str, int]
    unfinished: list[str]
    remote: list[str]


def ledger_of(settings: Settings) -> str:
    """Return the remote file in which jobs note their ids when a test's commands begin."""
    return f"{settings.basedir}/{settings.namespace}.ledger"


def look(settings: Settings, since: float, ending: float, *, remove: bool = True) -> Seen:
    """Look at all that is in a namespace.

    Args:
        settings: name the gateway, the system and the namespace.
        since: when its first job can have been submitted, in seconds since the epoch.
        ending: seconds that its jobs may take to end.
        remove: leave nothing of it.
    """
    return run_on_loop(_look(settings, since, ending, remove=remove), PATIENCE)


async def _look(settings: Settings, since: float, ending: float, *, remove: bool) -> Seen:
    root = f"{settings.basedir}/{settings.namespace}"
    settings = settings.model_copy(update={"retry_timeout": RETRY_TIMEOUT})
    async with standalone_gateway(settings) as gateway:
        await gateway.connect()
        deadline = time.monotonic() + ending
        while True:
            mine = await _jobs(gateway, root, since)
            unfinished = [part for part in mine if part.state not in ENDED]
            if not unfinished or time.monotonic() > deadline:
                break
            await asyncio.sleep(PAUSE)
        remote = await _remote(gateway, root)
        notes = await _notes(gateway, ledger_of(settings))
        if remove and not unfinished:
            await gateway.remove(root)
            if notes:
                await gateway.remove(ledger_of(settings))
    return Seen(
        # Slurm may run a job again after its node has failed; that is one job.
        executed({part.job_id: f"{part.name} {part.state}" for part in mine}, dict.fromkeys(notes)),
        sorted(f"{part.name} {part.state}" for part in unfinished),
        remote,
    )


async def _jobs(gateway: Gateway, root: str, since: float) -> Sequence[JobPart]:
    listed: dict[str, list[JobPart]] = defaultdict(list)
    for part in await gateway.jobs(since):
        listed[part.base_id].append(part)
    jobs = [part for job_id, parts in listed.items() for part in parts_of(job_id, parts)]
    mine = [part for part in jobs if f"{part.working_directory}/".startswith(f"{root}/")]
    # Transfer jobs have other working directories; only their scripts show that they are ours.
    for part in jobs:
        transfers = part.name in TRANSFER_JOB_NAMES and part.state not in ENDED
        if transfers and f"{root}/" in await gateway.script(part.base_id):
            mine.append(part)
    return mine


async def _notes(gateway: Gateway, path: str) -> list[str]:
    """Return the job ids in a ledger; none where no job has begun."""
    listing = await gateway.list_directory(posixpath.dirname(path))
    if posixpath.basename(path) not in {entry.path for entry in listing}:
        return []
    with tempfile.TemporaryDirectory() as directory:
        local = Path(directory, "ledger")
        await gateway.download(path, local, size_hint=LEDGER_SIZE)
        return local.read_text(encoding="ascii").split()


async def _remote(gateway: Gateway, root: str) -> list[str]:
    try:
        listing = await gateway.list_tree(root)
    except errors.NotFoundError:
        return []
    # Runs have names of their own, which can't be compared.
    return sorted("@" + without_token(entry.path[len(entry.path.partition("/")[0]) :]) for entry in listing)
