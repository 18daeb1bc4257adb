"""The owner of jobs: one session per gateway and system, shared by partitions."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as FuturesTimeoutError
from contextlib import suppress
from pathlib import Path
from posixpath import basename
from queue import SimpleQueue

from reframe_firecrest.gateway.protocol import Gateway, WaitForJob
from reframe_firecrest.model import errors
from reframe_firecrest.model.job import FINAL, JobHandle, JobSpec, JobView, Phase
from reframe_firecrest.model.slurm_states import JobSummary, tasks_that_ran
from reframe_firecrest.model.system import Cluster, SystemInfo
from reframe_firecrest.session import log_queue, poll_interval
from reframe_firecrest.session.batcher import MAX_DELAY_LIMIT, Batcher
from reframe_firecrest.session.cancel_queue import CancelQueue
from reframe_firecrest.session.cluster_cache import ClusterCache
from reframe_firecrest.session.duplicates import Duplicates
from reframe_firecrest.session.log_queue import Message
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.session.remote_cleanup import RemoteCleanup
from reframe_firecrest.session.session_record import SessionRecord, open_journal
from reframe_firecrest.session.srun_command import without_cpus_per_task
from reframe_firecrest.session.stage_in import Script, StagedDirectory, StageDirectory, StageIn, unchanged
from reframe_firecrest.session.stage_out import RetrievalRequest, StageOut
from reframe_firecrest.session.submission import Submission, Submitter
from reframe_firecrest.session.watcher import Watcher, wait_for
from reframe_firecrest.settings import Settings
from reframe_firecrest.staging.file_translation import Rewrite
from reframe_firecrest.staging.markers import CLAIMS, new_token
from reframe_firecrest.staging.paths import PathMap

TRANSFER = ".transfer"
"""Directory for archives under way, below the run's remote directory."""

ABANDONING = 15.0
"""Seconds that it may take to keep jobs of a doubtful submission from running once its test has failed."""

EXIT_PATIENCE = 15.0
"""Seconds that the end of the process waits for the last requests."""

MakeGateway = Callable[[Settings, WaitForJob], Gateway]


class Session:
    """Moves jobs through staging, submission, run and retrieval.

    The public methods are called on ReFrame's thread and return at once; everything else runs on the loop.

    Args:
        settings: the partition's settings.
        paths: where local stage directories lie on the system.
        reactor: the loop.
        make_gateway: makes the gateway, on the loop.
        run: the run's name.
    """

    def __init__(
        self, settings: Settings, paths: PathMap, reactor: Reactor, make_gateway: MakeGateway, run: str
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._reactor = reactor
        self._make_gateway = make_gateway
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._handles: dict[JobHandle, asyncio.Task[None]] = {}
        self._submissions: dict[JobHandle, Submission] = {}
        self._abandoning: list[asyncio.Task[None]] = []
        self._directories: dict[str, StageDirectory] = {}
        self._background_tasks: dict[str, asyncio.Task[None]] = {}
        self._system: SystemInfo | None = None
        self._cluster = ClusterCache(settings.system, reactor, self._ask_cluster)
        self._journal = open_journal(settings, paths, run, self._warn)
        self._scratch = Path(tempfile.mkdtemp(prefix="reframe-firecrest-"))
        reactor.run(self._open(), timeout=30.0)

    # --- on ReFrame's thread ------------------------------------------------------------------------

    @property
    def scheduler_version(self) -> tuple[int, ...] | None:
        """Slurm's version there, None as long as the gateway has not told."""
        return self._system.scheduler_version if self._system else None

    def submit(self, spec: JobSpec) -> JobHandle:
        """Take a job over."""
        handle = JobHandle(spec)
        self._reactor.call(self._accept, handle)
        return handle

    def remote_directory(self, local: str) -> str:
        """Return where a stage directory lies on the system."""
        return self._paths.remote_directory(local)

    def cancel(self, handles: Iterable[JobHandle]) -> None:
        """Cancel jobs: final at once on this side, the requests go out in parallel behind it."""
        for handle in handles:
            before = handle.cancel()
            if before is not None:
                self._reactor.call(self._cancel, handle, before)

    def cluster(self) -> Cluster:
        """Return the system's nodes, partitions and reservations; waits for the network.

        Raises:
            FirecrestError: the gateway did not tell in time.
        """
        return self._cluster.get()

    def stats(self) -> dict[str, int]:
        """Count what went over the wire so far: requests, bytes, most in flight."""
        return self._gateway.stats()

    def take_messages(self) -> list[Message]:
        """Return what has to be logged since the last call: level and text."""
        return [*log_queue.kept(), *log_queue.drain(self._messages)]

    def shutdown(self, patience: float = EXIT_PATIENCE) -> None:
        """Deliver what is under way before the process ends.

        Jobs that go on by then are cancelled: nobody would ever look at what they make.

        Args:
            patience: seconds that it may take; more where something may still be carried out late.
        """
        self.cancel([*self._handles])
        late = max(self._duplicates.unsettled(), self._gateway.unsettled()) if patience else 0.0
        try:
            self._reactor.run(self._close(), patience + late)
        except (FuturesTimeoutError, KeyboardInterrupt):
            self._warn(
                f"the end was not waited for; {self._paths.remote} may still be on the system; "
                f"remove it with: reframe-firecrest clean {basename(self._paths.remote)}"
            )
        finally:
            self._reactor.run(self._part(), 1.0)
            shutil.rmtree(self._scratch, ignore_errors=True)

    # --- on the loop --------------------------------------------------------------------------------

    def _log(self, text: str, level: int = logging.DEBUG) -> None:
        # Names of files, and what the remote side says, may hold anything.
        self._messages.put((level, errors.one_line(text)))

    def _warn(self, text: str) -> None:
        self._log(text, logging.WARNING)

    async def _open(self) -> None:
        gateway = self._make_gateway(self._settings, lambda job_id: wait_for(self._watcher, job_id))
        self._gateway = gateway
        self._watcher = Watcher(gateway, self._settings, self._reactor, lambda: len(self._handles))
        self._cancel_queue = CancelQueue(gateway, self._reactor, self._warn)
        self._record = SessionRecord(self._settings.system, self._journal, self._log, gateway.stats)
        self._remote_cleanup = RemoteCleanup(gateway, self._paths.remote, self._reactor, self._record)
        self._pulse = self._reactor.spawn(self._record.heartbeat())
        root = self._paths.remote
        transfer = f"{root}/{TRANSFER}"
        self._stage_in = StageIn(gateway, self._paths, transfer, self._scratch, self._record)
        self._stage_out = StageOut(
            gateway,
            root,
            transfer,
            self._scratch,
            limit=self._group_limit,
            warn=self._warn,
            record=self._record,
        )
        self._submitter = Submitter(gateway, self._settings.outage, self._warn)
        self._duplicates = Duplicates(gateway, f"{transfer}/{CLAIMS}", self._cancel_queue, self._log)
        self._inbound: Batcher[StagedDirectory] = Batcher(
            self._stage_in.send,
            self._stage_in.weight,
            self._group_limit,
            max_delay_limit=lambda: poll_interval.scaled(len(self._handles), MAX_DELAY_LIMIT),
        )
        self._ready = self._reactor.spawn(self._connect(transfer))
        # Whoever needs the gateway is told; where nobody does, the error is nobody's concern.
        self._ready.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _ask_cluster(self) -> Cluster:
        await asyncio.shield(self._ready)
        return await self._gateway.cluster()

    async def _connect(self, transfer: str) -> None:
        """Prove that the gateway, the system and the base directory are there, in one round trip."""
        self._record.prepared("asked")
        system, made = await asyncio.gather(
            self._gateway.connect(),
            self._gateway.make_directory(f"{transfer}/{CLAIMS}"),
            return_exceptions=True,
        )
        if not isinstance(made, BaseException):
            self._record.prepared("made")
        elif _is_refusal(made):
            self._record.prepared("refused")
        if isinstance(system, BaseException):
            # It explains the other one as well.
            raise system
        self._system = system
        if isinstance(made, (errors.ForbiddenError, errors.RejectedError, errors.NotFoundError)):
            raise errors.ForbiddenError(
                f"the base directory {self._settings.basedir} can't be written on "
                f"{self._settings.system!r}; check FIRECREST_BASEDIR ({made})"
            )
        if isinstance(made, BaseException):
            raise made

    def _group_limit(self) -> int:
        """Bytes of files that travel together: an archive of them goes through directly for certain."""
        return int(0.7 * self._system.max_direct_upload) if self._system else 1

    def _accept(self, handle: JobHandle) -> None:
        if handle.view.phase in FINAL:
            return
        self._record.moved(handle)
        task = self._reactor.spawn(self._live(handle))
        self._handles[handle] = task
        task.add_done_callback(lambda _task: self._forget(handle))

    def _forget(self, handle: JobHandle) -> None:
        self._handles.pop(handle, None)
        if handle.view.phase is not Phase.CANCELLED:
            self._submissions.pop(handle, None)

    async def _live(self, handle: JobHandle) -> None:
        try:
            # The start is shared: one job's cancel must not end it for the others.
            await asyncio.shield(self._ready)
            await self._run(handle)
        except asyncio.CancelledError:
            return
        except errors.FirecrestError as error:
            await self._abandon(handle)
            self._fail(handle, str(error))
        except Exception as error:  # noqa: BLE001 - one job's accident must not take the session along
            await self._abandon(handle)
            self._log(f"internal error: {type(error).__name__}: {error}", logging.ERROR)
            self._fail(handle, f"internal error of reframe-firecrest: {type(error).__name__}: {error}")

    async def _run(self, handle: JobHandle) -> None:
        spec = handle.spec
        directory = self._directory(spec.directory)
        self._advance(handle, Phase.STAGING)
        # The tasks of an array would copy over what another of them works with.
        share = self._settings.share_inputs and not spec.shape.is_array
        script = Script(spec.script, new_token(), spec.outputs, self._rewrite_for(spec), share)
        staged = await self._stage_in.prepare(directory, script)
        await asyncio.gather(self._send(staged), *(self._bring_along(name) for name in staged.named))
        for name in staged.named:
            self._directory(name).check_for(staged.paths)
        if not self._advance(handle, Phase.SUBMITTING):
            return
        directory.outputs.update(spec.outputs)
        remote = self._paths.remote_directory(spec.directory)
        submission = Submission(script.token, f"{remote}/{spec.script}", remote, spec.name)
        job_id = await self._submit(handle, submission, None if staged.names_account else spec.account)
        if job_id is not None:
            await self._see_through(handle, submission, directory, job_id)

    async def _submit(self, handle: JobHandle, submission: Submission, account: str | None) -> str | None:
        """Submit a job; returns its id, None if it was cancelled meanwhile."""
        self._submissions[handle] = submission
        job_id = await self._submitter.submit(submission, account, handle.spec.resubmit_on)
        if not self._advance(handle, Phase.SUBMITTED, job_id=job_id, state="PENDING"):
            await asyncio.gather(self._cancel_queue.cancel(job_id), self._duplicates.abandon(submission))
            return None
        self._log(f"job {job_id}: {submission.name} in {submission.directory}")
        return job_id

    async def _see_through(
        self, handle: JobHandle, submission: Submission, directory: StageDirectory, job_id: str
    ) -> None:
        """Follow a job, or the one that runs its script instead, and bring back what it leaves."""
        request = await self._ended(handle, submission, directory, job_id)
        while (other := await self._other_job(submission, request)) is not None:
            self._log(f"job {other} runs what job {request.job_id} was submitted for")
            self._submitter.note(submission, other)
            news = {"exit_code": None, "nodes": "", "completed": None, "elapsed": 0.0}
            self._advance(handle, Phase.SUBMITTED, job_id=other, state="PENDING", **news)
            request = await self._ended(handle, submission, directory, other)
        await self._duplicates.settle(submission)
        directory.job_ended(ran=request.ran and request.failure is None)
        await self._stage_out.fetch(request)
        if request.failure is not None:
            raise errors.StagingError(request.failure)
        self._advance(handle, Phase.DONE)
        size = sum(entry.size for entry in request.listing)
        self._remote_cleanup.note_size(directory.local, directory.relative, size)

    async def _ended(
        self, handle: JobHandle, submission: Submission, directory: StageDirectory, job_id: str
    ) -> RetrievalRequest:
        """Follow a job to its end; returns what is to be brought back, with a listing of what it left."""
        spec = handle.spec
        try:
            parts = await self._watcher.follow(
                job_id,
                lambda summary: self._learn(handle, summary),
                spec.name,
                submission.directory,
                spec.shape,
            )
        except errors.JobHeldError:
            self._cancel_queue.start(job_id)
            raise
        self._advance(handle, Phase.RETRIEVING)
        ran = any(part.nodes for part in parts) and not all(part.state == "CANCELLED" for part in parts)
        request = RetrievalRequest(
            directory,
            spec.outputs,
            ran,
            spec.selection,
            numbered=tasks_that_ran(parts) if spec.numbered else (),
            token=submission.token,
            job_id=job_id,
            parts=parts,
            uncertain=submission.doubtful is not None,
            prepares=bool(directory.promised),
        )
        await self._stage_out.look(request)
        return request

    async def _other_job(self, submission: Submission, request: RetrievalRequest) -> str | None:
        """Return the job that has claimed a submission, or may still do so, if it is another one."""
        holder = request.markers.holder
        if holder is None and request.uncertain and request.markers.error is None:
            return await self._submitter.find(submission)
        return None if holder == request.job_id else holder

    async def _abandon(self, handle: JobHandle) -> None:
        submission = self._submissions.get(handle)
        if submission is not None:
            with suppress(asyncio.TimeoutError, errors.FirecrestError):
                await asyncio.wait_for(self._duplicates.abandon(submission), ABANDONING)

    async def _send(self, staged: StagedDirectory) -> None:
        """Send a stage directory, unless all of it is there."""
        if staged.part.entries or not staged.directory.there:
            await self._inbound.join(staged)

    def _rewrite_for(self, spec: JobSpec) -> Rewrite:
        cpus, version = spec.cpus_per_task, self.scheduler_version
        return (lambda script: without_cpus_per_task(script, cpus, version)) if cpus else unchanged

    async def _bring_along(self, local: str) -> None:
        """Send a directory that a script names, unless it is there already: a local fixture's, for one."""
        directory = self._directory(local)
        if directory.there or any(handle.spec.directory == local for handle in self._handles):
            return
        if local not in self._background_tasks:
            self._background_tasks[local] = self._reactor.spawn(self._send_along(directory))
        await asyncio.shield(self._background_tasks[local])

    async def _send_along(self, directory: StageDirectory) -> None:
        if await asyncio.to_thread(Path(directory.local).is_dir):
            await self._send(await self._stage_in.prepare(directory))

    def _directory(self, local: str) -> StageDirectory:
        if local not in self._directories:
            self._directories[local] = StageDirectory(local, self._paths.relative(local))
        return self._directories[local]

    def _fail(self, handle: JobHandle, error: str) -> None:
        directory = self._directories.get(handle.spec.directory)
        if directory is not None and directory.there:
            error += f"; its stage directory on the system: {self._paths.remote}/{directory.relative}"
        self._advance(handle, Phase.FAILED, state="FAILED", error=error)

    def _cancel(self, handle: JobHandle, before: JobView) -> None:
        """Undo what a job has come to; `before` is how it stood when it was cancelled."""
        self._record.moved(handle)
        # A submit under way is let finish: only then is there an id, and the job's own task cancels it.
        if before.phase is Phase.SUBMITTING:
            return
        task = self._handles.get(handle)
        if task is not None:
            task.cancel()
        if before.phase is Phase.SUBMITTED and before.job_id is not None:
            self._cancel_queue.start(before.job_id)
        if handle in self._submissions:
            self._abandoning.append(self._reactor.spawn(self._abandon(handle)))

    def _advance(self, handle: JobHandle, phase: Phase, **news: object) -> bool:
        moved = handle.advance(phase, **news)
        if moved:
            self._record.moved(handle)
        return moved

    def _learn(self, handle: JobHandle, summary: JobSummary) -> None:
        before = handle.view.state, handle.view.reason
        handle.learn(
            state=summary.state,
            exit_code=summary.exit_code,
            nodes=summary.nodes,
            completed=summary.end,
            reason=summary.reason,
            elapsed=summary.elapsed,
        )
        if (handle.view.state, handle.view.reason) != before:
            self._record.moved(handle)

    async def _close(self) -> None:
        """Deliver what is under way, remove what nobody needs any more, close the connections."""
        submitting = [task for handle, task in self._handles.items() if handle.view.phase is Phase.CANCELLED]
        await asyncio.gather(
            *submitting, *self._abandoning, self._cancel_queue.finish(), return_exceptions=True
        )
        await self._duplicates.finish()
        try:
            if self._ready.done() and not self._ready.cancelled() and self._ready.exception() is None:
                directories = {local: found.relative for local, found in self._directories.items()}
                await self._remote_cleanup.finish(directories, TRANSFER)
        finally:
            self._ready.cancel()
            await self._gateway.close()

    async def _part(self) -> None:
        # On the loop, behind the cancels that were begun last.
        self._cancel_queue.report()
        self._pulse.cancel()
        self._record.close(self._cancel_queue.left)


def _is_refusal(error: BaseException) -> bool:
    """Tell whether an error of an attempt to create something proves that nothing was created."""
    return isinstance(error, errors.TransientError) or (
        isinstance(error, errors.FinalError) and not isinstance(error, errors.OperationTimeoutError)
    )
