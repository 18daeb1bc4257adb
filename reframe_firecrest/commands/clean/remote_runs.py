"""Runs that are known from the system only: the machine with their journals may no longer exist.

The directories and jobs of such a run do not prove that it is dead. It counts as over only if it began, and
submitted its last job, long enough ago, by the gateway's clock as well as by this machine's.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reframe_firecrest.commands.clean.residue import RemoteResidue, residue_of, root_of
from reframe_firecrest.commands.clean.system_cleaner import RETRY_TIMEOUT
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.gateway.v2.orphaned_jobs import TRANSFER_JOB_NAMES
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.model.run_names import NAME, start_time_of
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.session.session import Connect
from reframe_firecrest.session.standalone import run_on_loop, standalone_gateway
from reframe_firecrest.settings import Settings

TIMEOUT = 120.0
"""Seconds for listing the runs."""


@dataclass(frozen=True)
class RemoteRun:
    """A run that has a directory or jobs on a system.

    Attributes:
        name: name of the run.
        jobs: its jobs that have not ended.
        now: the time by the gateway's clock or by this machine's, whichever is earlier.
    """

    name: str
    jobs: tuple[JobPart, ...]
    now: float

    @property
    def job_ids(self) -> frozenset[str]:
        """Ids of its jobs."""
        return frozenset(part.base_id for part in self.jobs)

    def is_older_than(self, seconds: float) -> bool:
        """Report whether it began at least that long ago."""
        return self._age(start_time_of(self.name)) >= seconds

    def reason_to_skip(self, seconds: float) -> str | None:
        """Return why it may be running: a job was submitted less than `seconds` ago; None if none was.

        FirecREST v1 does not report when jobs were submitted.
        """
        for part in self.jobs:
            if part.submitted is not None and self._age(part.submitted) < seconds:
                return f"its job {part.base_id} was submitted more recently than that"
        return None

    def _age(self, moment: float | None) -> float:
        # Run names and the gateway's clock have whole seconds.
        return 0.0 if moment is None else max(self.now - moment, 0.0)


def residue_of_remote_run(
    remote: RemoteRun, run: Run | None, settings: Settings, environment: Mapping[str, str]
) -> RemoteResidue:
    """Return what a run that was found on the system has left.

    Args:
        remote: the run on the system.
        run: the run in the journals; None if there is no journal.
        settings: connection to the system.
        environment: the environment variables.
    """
    residue = RemoteResidue(remote.name, root_of(settings, remote.name), settings)
    for session_log in run.session_logs if run else ():
        opened = session_log.opened
        same_system = (opened.url, opened.system) == (str(settings.url), settings.system)
        if same_system and opened.root == residue.root:
            residue = residue_of(session_log, environment)
    residue.known |= remote.job_ids
    # Its directory or jobs exist, whatever the journal reports.
    residue.finished = False
    return residue


def list_remote_runs(settings: Settings, connect: Connect) -> list[RemoteRun]:
    """Return the runs that have a directory or jobs on a system.

    Raises:
        GatewayError: a request failed, or listing the runs timed out.
    """
    settings = settings.model_copy(update={"retry_timeout": RETRY_TIMEOUT})

    async def ask() -> list[RemoteRun]:
        async with standalone_gateway(settings, connect) as gateway:
            await gateway.connect()
            entries, jobs, now = await asyncio.gather(
                _directories(gateway, settings), _jobs(gateway, settings), _now(gateway)
            )
        names = {
            entry.path
            for entry in entries
            if entry.kind is FileKind.DIRECTORY and start_time_of(entry.path) is not None
        }
        return [RemoteRun(name, tuple(jobs.get(name, ())), now) for name in sorted(names | jobs.keys())]

    return run_on_loop(
        ask(), TIMEOUT, f"could not list the runs on {settings.system!r} within {format_duration(TIMEOUT)}"
    )


async def _directories(gateway: Gateway, settings: Settings) -> list[RemoteFile]:
    try:
        return await gateway.list_directory(f"{settings.basedir}/{settings.namespace}")
    except errors.NotFoundError:
        return []


async def _now(gateway: Gateway) -> float:
    """Return the earlier of the gateway's time and this machine's, so that no run seems older than it is."""
    try:
        status = await gateway.status()
    except errors.GatewayError:
        return time.time()
    return min(status.date or time.time(), time.time())


async def _jobs(gateway: Gateway, settings: Settings) -> Mapping[str, list[JobPart]]:
    """Return the jobs that have not ended, by run; a late job can exist without the run's directory."""
    jobs: dict[str, list[JobPart]] = defaultdict(list)
    for part in await gateway.jobs(clock()):
        if part.state in ENDED:
            continue
        directory = part.working_directory or await gateway.directory(part.base_id)
        names = set(_runs_in(directory, settings.namespace))
        if part.name in TRANSFER_JOB_NAMES:
            script = await gateway.script(part.base_id)
            names.update(_runs_in(script, f"{settings.basedir}/{settings.namespace}"))
        for name in names:
            jobs[name].append(part)
    return jobs


def _runs_in(text: str, parent: str) -> Iterable[str]:
    """Yield the names of the runs whose directories occur in a text.

    Args:
        text: a path, or a script with paths.
        parent: path of the directory that contains the runs' directories, or its last parts.
    """
    edge = "" if parent.startswith("/") else "/"
    pattern = rf"{edge}{re.escape(parent)}/({NAME})(?=[/'\"\s]|$)"
    return _valid(match[1] for match in re.finditer(pattern, text))


def _valid(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if start_time_of(name) is not None)
