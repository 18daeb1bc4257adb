"""A session: the jobs of one system behind one gateway, shared by its partitions."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as FuturesTimeoutError
from pathlib import Path
from posixpath import basename

from reframe_firecrest.gateway.protocol import Gateway, GatewayConnection
from reframe_firecrest.journal.writer import Journal
from reframe_firecrest.model.case_state import CaseState
from reframe_firecrest.model.job import FINAL, JobHandle, JobSpec, JobState, Phase
from reframe_firecrest.model.system import Cluster
from reframe_firecrest.session.cluster_cache import ClusterCache
from reframe_firecrest.session.completions import note_end
from reframe_firecrest.session.context import TRANSFER, SessionContext
from reframe_firecrest.session.job_life import JobLife
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.session.services import Services, make_services, open_system
from reframe_firecrest.session.session_record import SessionRecord
from reframe_firecrest.settings import Settings
from reframe_firecrest.staging.paths import PathMap

_LOGGER = logging.getLogger(__name__)

OPEN_TIMEOUT = 30.0
"""Seconds that the event loop may take to start a session; no request is sent in that time."""

SHUTDOWN_TIMEOUT = 15.0
"""Seconds that the end of the process waits for the last requests."""

Connect = Callable[[Settings], GatewayConnection]
"""Makes the connection to a gateway; sends no request."""


class Session:
    """Run jobs on a system.

    The public methods are thread-safe. They return at once, except for `cluster` and `shutdown`. Everything
    else runs on the event loop; each job is a `JobLife` there.

    Args:
        settings: the partition's settings.
        paths: local and remote roots of the stage directories.
        reactor: the event loop.
        connect: makes the connection to the gateway, on the loop.
        journal: journal of the session.
    """

    def __init__(
        self, settings: Settings, paths: PathMap, reactor: Reactor, connect: Connect, journal: Journal
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._reactor = reactor
        self._running: set[JobHandle] = set()
        self._lives: dict[JobHandle, JobLife] = {}
        self._gateway: Gateway | None = None
        self._services: Services | None = None
        self._cluster = ClusterCache(settings.system, reactor, self._ask_cluster)
        self._scratch = Path(tempfile.mkdtemp(prefix="reframe-firecrest-"))
        reactor.run(self._open(connect, journal), OPEN_TIMEOUT)

    # --- on any thread ------------------------------------------------------------------------------

    @property
    def scheduler_version(self) -> tuple[int, ...] | None:
        """Slurm's version on the system; None while it is unknown."""
        return self._services.context.system.capabilities.scheduler_version if self._services else None

    def submit(self, spec: JobSpec) -> JobHandle:
        """Accept a job."""
        handle = JobHandle(spec)
        self._reactor.call(self._accept, handle)
        return handle

    def note_cases(self, cases: list[CaseState]) -> None:
        """Record the states of test cases."""
        self._reactor.call(self._record.cases_moved, cases)

    def remote_directory(self, local: str) -> str:
        """Return the remote path of a stage directory."""
        return self._paths.remote_directory(local)

    def add_sources(self, directories: Iterable[str], private: Iterable[str]) -> None:
        """Add directories of the tests' code; files in them that scripts name are sent or reported.

        Args:
            directories: absolute local paths.
            private: files that are never sent.
        """
        self._paths.sources.add(directories, private)

    def cancel(self, handles: Iterable[JobHandle]) -> None:
        """Cancel jobs: their phase is final at once, and requests follow in the background."""
        for handle in handles:
            before = handle.cancel()
            if before is not None:
                self._reactor.call(self._cancel, handle, before)

    def cluster(self) -> Cluster:
        """Return the system's nodes, partitions and reservations; waits for the network.

        Raises:
            FirecrestError: the gateway has not reported them in time.
        """
        return self._cluster.get()

    def stats(self) -> dict[str, int]:
        """Return the traffic so far: requests, bytes, and the most requests at a time."""
        return self._connection.stats()

    def unavailable(self) -> float:
        """Return the seconds for which the gateway has served no request; 0 if it is not a long outage."""
        return self._connection.unavailable()

    def shutdown(self, timeout: float = SHUTDOWN_TIMEOUT) -> None:
        """Cancel all jobs, remove what is no longer needed and close the connections.

        Args:
            timeout: seconds that this may take; more if requests may still be carried out late.
        """
        self.cancel([*self._running])
        try:
            self._reactor.run(self._close(), timeout + (self._unsettled() if timeout else 0.0))
        except (FuturesTimeoutError, KeyboardInterrupt):
            _LOGGER.warning(
                "shutdown timed out; %s may still exist on the system; "
                "remove it with: reframe-firecrest clean %s",
                self._paths.remote,
                basename(self._paths.remote),
            )
        finally:
            self._reactor.run(self._close_record(), 1.0)
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _unsettled(self) -> float:
        """Return the seconds for which requests may still be carried out late."""
        duplicates = self._services.duplicates.unsettled() if self._services else 0.0
        return max(duplicates, self._gateway.unsettled() if self._gateway else 0.0)

    # --- on the event loop --------------------------------------------------------------------------

    async def _open(self, connect: Connect, journal: Journal) -> None:
        self._connection = connect(self._settings)
        self._record = SessionRecord(self._settings.system, journal, self._connection)
        self._heartbeat = self._reactor.spawn(self._record.heartbeat())
        self._ready = self._reactor.spawn(self._connect())
        # Jobs get its error. Without jobs it is of no interest.
        self._ready.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _connect(self) -> Services:
        """Open the gateway, and check the system and the base directory."""
        self._gateway, system = await open_system(self._connection, self._paths, self._settings, self._record)
        context = SessionContext(self._gateway, self._paths, self._scratch, self._record, system)
        self._services = make_services(context, self._settings, self._reactor, self._running)
        return self._services

    async def _ask_cluster(self) -> Cluster:
        services: Services = await asyncio.shield(self._ready)
        return await services.context.gateway.cluster()

    def _accept(self, handle: JobHandle) -> None:
        if handle.state.phase in FINAL:
            return
        self._running.add(handle)
        self._lives[handle] = life = JobLife(handle, self._ready, self._record)
        life.start().add_done_callback(lambda _task: self._ended(handle))

    def _ended(self, handle: JobHandle) -> None:
        note_end()
        self._running.discard(handle)
        # The life of a cancelled job still has to undo what it has done: `_cancel` may be called later.
        if handle.state.phase is not Phase.CANCELLED:
            del self._lives[handle]

    def _cancel(self, handle: JobHandle, before: JobState) -> None:
        self._record.moved(handle)
        if handle in self._lives:
            self._lives[handle].cancel(before)

    async def _close(self) -> None:
        """Wait for cancellations, clean up, and close the connections."""
        try:
            if self._services is not None:
                await self._clean_up(self._services)
        finally:
            self._ready.cancel()
            await asyncio.gather(self._ready, return_exceptions=True)
            await (self._gateway or self._connection).close()

    async def _clean_up(self, services: Services) -> None:
        await services.stage_out.abandon()
        cancelled = [life for job, life in self._lives.items() if job.state.phase is Phase.CANCELLED]
        await asyncio.gather(
            *(life.finish() for life in cancelled), services.cancel_queue.finish(), return_exceptions=True
        )
        await services.duplicates.finish()
        # Otherwise a directory could be created after its removal.
        await asyncio.sleep(services.context.gateway.unsettled())
        directories = services.directories
        await services.remote_cleanup.finish(
            directories.relative_paths(), TRANSFER, mapped=directories.mapped_paths()
        )

    async def _close_record(self) -> None:
        # It runs on the loop, so that it comes after cancellations that were started last.
        left: list[str] = []
        if self._services is not None:
            self._services.cancel_queue.report()
            left = self._services.cancel_queue.left
        self._heartbeat.cancel()
        self._record.close(left)
