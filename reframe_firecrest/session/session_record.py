"""Keeps what a session does: in its journal, in ReFrame's log and for the summary. Used on the loop only."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Literal

from reframe_firecrest._version import __version__
from reframe_firecrest.journal.events import Closed, JobMoved, Opened, Prepared, Removed, Traffic, Transferred
from reframe_firecrest.journal.process_identity import machine, own_identity
from reframe_firecrest.journal.writer import Journal
from reframe_firecrest.model.clock import EPOCH, clock
from reframe_firecrest.model.job import FINAL, JobHandle
from reframe_firecrest.model.job_times import JobTimes, breakdown, job_times_of, summary_line
from reframe_firecrest.model.units import format_size
from reframe_firecrest.plugin.reframe_session import session_id
from reframe_firecrest.settings import Settings
from reframe_firecrest.staging.paths import PathMap

TRAFFIC_EVERY = 2.0
"""Seconds between two notes of what went over the wire, while something happens."""

HEARTBEAT_INTERVAL = 60.0
"""Seconds between two notes when nothing does: who reads them sees that the session goes on."""

Log = Callable[[str, int], None]


class SessionRecord:
    """What happened so far.

    Args:
        system: the system's name.
        journal: where it is written to.
        log: told what people read, with the level.
        counts: tells what went over the wire so far.
    """

    def __init__(
        self, system: str, journal: Journal, log: Log, counts: Callable[[], Mapping[str, int]]
    ) -> None:
        self._system = system
        self._journal = journal
        self._log = log
        self._counts = counts
        self._begun = clock()
        self._traffic_at = 0.0
        self._jobs = 0
        self._times: list[JobTimes] = []

    def moved(self, handle: JobHandle) -> None:
        """Note that a job has gone on."""
        state = handle.state
        self._journal.write(
            JobMoved(
                time=clock(),
                number=handle.number,
                name=handle.spec.name,
                directory=handle.spec.directory,
                phase=state.phase.value,
                job_id=state.job_id,
                state=state.state,
                exit_code=state.exit_code,
                nodes=state.nodes,
                reason=state.reason,
                elapsed=state.elapsed,
                error=state.error,
            )
        )
        if clock() - self._traffic_at > TRAFFIC_EVERY:
            self._note_traffic()
        if state.phase in FINAL:
            self._jobs += 1
            times = job_times_of(handle)
            if times is not None:
                self._times.append(times)

    async def heartbeat(self) -> None:
        """Give signs of life, until cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            self._journal.touch()
            self._note_traffic()

    def _note_traffic(self) -> None:
        self._traffic_at = clock()
        counts = self._counts()
        self._journal.write(
            Traffic(
                time=self._traffic_at,
                requests=counts.get("requests", 0),
                bytes_sent=counts.get("bytes_sent", 0),
                bytes_received=counts.get("bytes_received", 0),
            )
        )

    def debug(self, text: str) -> None:
        """Say something to who wants to know more than the results."""
        self._log(text, logging.DEBUG)

    def info(self, text: str) -> None:
        """Say something that belongs to the results."""
        self._log(text, logging.INFO)

    def warn(self, text: str) -> None:
        """Say something that everybody should know."""
        self._log(text, logging.WARNING)

    def sent(self, files: int, jobs: int, size: int, seconds: float) -> None:
        """Note that stage directories have been sent together; `size` is that of their archive."""
        self._journal.write(
            Transferred(time=clock(), way="sent", files=files, jobs=jobs, size=size, seconds=seconds)
        )
        self.debug(
            f"sent {files} files of {jobs} stage directories, {format_size(size)} packed, in {seconds:.1f} s"
        )

    def fetched(self, files: int, jobs: int, size: int, seconds: float) -> None:
        """Note that files of jobs have been fetched together; `size` is that of the files."""
        self._journal.write(
            Transferred(time=clock(), way="fetched", files=files, jobs=jobs, size=size, seconds=seconds)
        )
        self.debug(f"fetched {files} files of {jobs} jobs, {format_size(size)} unpacked, in {seconds:.1f} s")

    def prepared(self, outcome: Literal["asked", "made", "refused"]) -> None:
        """Note what is known of the run's directory on the system."""
        self._journal.write(Prepared(time=clock(), outcome=outcome))

    def removed(self, path: str) -> None:
        """Note that a directory has been removed on the system."""
        self._journal.write(Removed(time=clock(), path=path))

    def close(self, left: list[str]) -> None:
        """Note the end, and say what all of it came to.

        Args:
            left: ids of jobs that may still be there.
        """
        self._note_traffic()
        self._journal.write(Closed(time=clock(), left=tuple(left)))
        self._journal.close()
        if self._jobs:
            self.info(summary_line(self._system, self._jobs, clock() - self._begun, self._counts()))
            for line in breakdown(self._times):
                self.debug(line)


def open_journal(settings: Settings, paths: PathMap, run: str, warn: Callable[[str], None]) -> Journal:
    """Begin the journal of a session."""
    journal = Journal(settings.journal_dir, f"{run}.{settings.system}", warn)
    process = own_identity()
    journal.write(
        Opened(
            time=clock(),
            run=run,
            url=str(settings.url),
            system=settings.system,
            root=paths.remote,
            stage=paths.local,
            host=socket.gethostname(),
            pid=process.pid,
            version=__version__,
            locked=journal.locked,
            boot=process.boot,
            machine=machine(),
            namespaces=process.namespaces,
            started=process.started,
            epoch=EPOCH,
            dead_after=settings.heartbeat_timeout,
            session=session_id(),
            tells_creation=True,
        )
    )
    return journal
