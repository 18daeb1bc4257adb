"""Record of a session: its journal, progress messages and summary. Used on the event loop only."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterable
from typing import Literal

from reframe_firecrest._version import __version__
from reframe_firecrest.gateway.protocol import GatewayConnection
from reframe_firecrest.journal.events import (
    CaseMoved,
    Closed,
    JobMoved,
    Opened,
    Prepared,
    Removed,
    Traffic,
    Transferred,
)
from reframe_firecrest.journal.process_identity import machine, own_identity
from reframe_firecrest.journal.writer import Journal
from reframe_firecrest.model.case_state import CaseState
from reframe_firecrest.model.clock import EPOCH, clock
from reframe_firecrest.model.job import FINAL, JobHandle
from reframe_firecrest.model.job_times import JobTimes, breakdown, job_times_of, summary_line
from reframe_firecrest.model.units import format_count, format_size
from reframe_firecrest.settings import Settings
from reframe_firecrest.staging.paths import PathMap

TRAFFIC_INTERVAL = 2.0
"""Seconds between two records of the traffic while jobs change."""

HEARTBEAT_INTERVAL = 60.0
"""Seconds between two records when nothing happens: they show that the session is alive."""

OUTAGE_INTERVAL = 2.0
"""Seconds between two looks whether an outage of the gateway has begun or ended."""

_LOGGER = logging.getLogger(__name__)


class SessionRecord:
    """Record of one session.

    Args:
        system: the system's name.
        journal: the session's journal.
        connection: counts the traffic, and knows how long an outage has lasted.
    """

    def __init__(self, system: str, journal: Journal, connection: GatewayConnection) -> None:
        self._system = system
        self._journal = journal
        self._connection = connection
        self._was_unavailable = False
        self._begun = clock()
        self._traffic_at = 0.0
        self._jobs = 0
        self._times: list[JobTimes] = []

    def moved(self, handle: JobHandle) -> None:
        """Record that a job's state has changed."""
        self._journal.write(JobMoved.of(handle))
        if clock() - self._traffic_at > TRAFFIC_INTERVAL:
            self._note_traffic()
        if handle.state.phase in FINAL:
            self._jobs += 1
            times = job_times_of(handle)
            if times is not None:
                self._times.append(times)

    def cases_moved(self, cases: Iterable[CaseState]) -> None:
        """Record that the states of test cases have changed."""
        for case in cases:
            self._journal.write(CaseMoved.of(case))

    async def heartbeat(self) -> None:
        """Record that the session is alive, and the beginning and end of outages, until cancelled."""
        alive_at = time.monotonic()
        while True:
            await asyncio.sleep(min(OUTAGE_INTERVAL, HEARTBEAT_INTERVAL))
            now = time.monotonic()
            if now - alive_at >= HEARTBEAT_INTERVAL:
                alive_at = now
                self._journal.touch()
                self._note_traffic()
            elif (self._connection.unavailable() > 0) is not self._was_unavailable:
                self._note_traffic()

    def _note_traffic(self) -> None:
        self._traffic_at = clock()
        counts, unavailable = self._connection.stats(), self._connection.unavailable()
        self._was_unavailable = unavailable > 0
        self._journal.write(
            Traffic(
                time=self._traffic_at,
                requests=counts.get("requests", 0),
                bytes_sent=counts.get("bytes_sent", 0),
                bytes_received=counts.get("bytes_received", 0),
                unavailable=unavailable,
            )
        )

    def sent(self, files: int, jobs: int, size: int, seconds: float) -> None:
        """Record that stage directories were sent in an archive of `size` bytes."""
        self._journal.write(
            Transferred(time=clock(), way="sent", files=files, jobs=jobs, size=size, seconds=seconds)
        )
        _LOGGER.debug(
            "sent %s of %s, %s packed, in %.1f s",
            format_count(files, "file"),
            format_count(jobs, "stage directory", "stage directories"),
            format_size(size),
            seconds,
        )

    def fetched(self, files: int, jobs: int, size: int, seconds: float) -> None:
        """Record that files of jobs were fetched, `size` bytes in total."""
        self._journal.write(
            Transferred(time=clock(), way="fetched", files=files, jobs=jobs, size=size, seconds=seconds)
        )
        _LOGGER.debug(
            "fetched %s of %s, %s unpacked, in %.1f s",
            format_count(files, "file"),
            format_count(jobs, "job"),
            format_size(size),
            seconds,
        )

    def prepared(self, outcome: Literal["asked", "made", "refused"]) -> None:
        """Record the outcome of creating the run's remote directory."""
        self._journal.write(Prepared(time=clock(), outcome=outcome))

    def removed(self, path: str) -> None:
        """Record that a remote directory was removed."""
        self._journal.write(Removed(time=clock(), path=path))

    def close(self, left: list[str]) -> None:
        """Record the end of the session, and log a summary.

        Args:
            left: ids of jobs that may still exist.
        """
        self._note_traffic()
        self._journal.write(Closed(time=clock(), left=tuple(left)))
        self._journal.close()
        if self._jobs:
            _LOGGER.info(
                summary_line(self._system, self._jobs, clock() - self._begun, self._connection.stats())
            )
            for line in breakdown(self._times):
                _LOGGER.debug(line)


def open_journal(settings: Settings, paths: PathMap, run: str, session_id: str = "") -> Journal:
    """Begin the journal of a session.

    Args:
        settings: the partition's settings.
        paths: local and remote roots of the stage directories.
        run: name of the run.
        session_id: ReFrame's id of its session; empty if unknown.
    """
    journal = Journal(settings.journal_dir, f"{run}.{settings.system}", _LOGGER.warning)
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
            session=session_id,
            tells_creation=True,
        )
    )
    return journal
