"""Runs known from the system only, by directories and jobs: a runner's disk may be gone with its journals.

Nothing proves that such a run is dead. It counts as over only if it began, and submitted its last job, long
enough ago, by the gateway's clock as well as by ours.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import TimeoutError as FuturesTimeoutError
from dataclasses import dataclass

from reframe_firecrest.commands.clean.system_cleaner import connected_cleaner
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.gateway.v2.orphaned_jobs import TRANSFER_JOB_NAMES
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.model.run_names import NAME, start_time_of
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.session import Connect
from reframe_firecrest.settings import Settings

PATIENCE = 120.0
"""Seconds for the list."""


@dataclass(frozen=True)
class RemoteRun:
    """A run that has a directory or jobs on a system.

    Attributes:
        name: the run's.
        jobs: those that have not ended.
        now: the time by the gateway's clock, or by ours if that is earlier.
    """

    name: str
    jobs: tuple[JobPart, ...]
    now: float

    @property
    def job_ids(self) -> frozenset[str]:
        """Ids of its jobs."""
        return frozenset(part.base_id for part in self.jobs)

    def is_older_than(self, seconds: float) -> bool:
        """Tell whether it began that long ago."""
        return self._ago(start_time_of(self.name)) >= seconds

    def recent_job(self, seconds: float) -> str | None:
        """Return a job that was submitted more recently than that; None if there is none.

        FirecREST v1 does not tell when jobs were submitted.
        """
        recent = (
            part.base_id
            for part in self.jobs
            if part.submitted is not None and self._ago(part.submitted) < seconds
        )
        return next(recent, None)

    def _ago(self, moment: float | None) -> float:
        # Names tell whole seconds, and so does the gateway's clock.
        return 0.0 if moment is None else max(self.now - moment, 0.0)


def list_remote_runs(settings: Settings, connect: Connect) -> list[RemoteRun]:
    """Return the runs that have a directory or jobs on a system.

    Raises:
        GatewayError: the gateway does not tell.
    """

    async def ask() -> list[RemoteRun]:
        gateway = await connected_cleaner(settings, connect)
        try:
            await gateway.connect()
            entries, jobs, now = await asyncio.gather(
                _directories(gateway, settings), _jobs(gateway, settings), _now(gateway)
            )
        finally:
            await gateway.close()
        names = {
            entry.path
            for entry in entries
            if entry.kind is FileKind.DIRECTORY and start_time_of(entry.path) is not None
        }
        return [RemoteRun(name, tuple(jobs.get(name, ())), now) for name in sorted(names | jobs.keys())]

    try:
        return reactor().run(ask(), PATIENCE)
    except FuturesTimeoutError:
        raise errors.TransientError(
            f"{settings.system!r} did not tell its directories within {PATIENCE:.0f} s"
        ) from None


async def _directories(gateway: Gateway, settings: Settings) -> list[RemoteFile]:
    try:
        return await gateway.list_directory(f"{settings.basedir}/{settings.namespace}")
    except errors.NotFoundError:
        return []


async def _now(gateway: Gateway) -> float:
    """Return the time by the gateway's clock, or by ours if that is earlier: no run seems older then."""
    try:
        look = await gateway.status()
    except errors.GatewayError:
        return time.time()
    return min(look.date or time.time(), time.time())


async def _jobs(gateway: Gateway, settings: Settings) -> Mapping[str, list[JobPart]]:
    """Return the jobs that have not ended, by run; a job can come late, when its directory is gone."""
    found: dict[str, list[JobPart]] = defaultdict(list)
    for part in await gateway.jobs(clock()):
        if part.state in ENDED:
            continue
        place = part.working_directory or await gateway.directory(part.base_id)
        names = set(_runs_in(place, settings.namespace))
        if part.name in TRANSFER_JOB_NAMES:
            script = await gateway.script(part.base_id)
            names.update(_runs_in(script, f"{settings.basedir}/{settings.namespace}"))
        for name in names:
            found[name].append(part)
    return found


def _runs_in(text: str, below: str) -> Iterable[str]:
    """Yield the names of runs in paths whose directories lie below another one."""
    edge = "" if below.startswith("/") else "/"
    pattern = rf"{edge}{re.escape(below)}/({NAME})(?=[/'\"\s]|$)"
    return _valid(match[1] for match in re.finditer(pattern, text))


def _valid(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if start_time_of(name) is not None)
