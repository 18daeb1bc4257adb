"""Life of one job on the system: stage in, submit, follow, retrieve."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress

from reframe_firecrest.model import errors
from reframe_firecrest.model.job import JobHandle, JobState, Phase
from reframe_firecrest.model.limitations import unsupported_shape
from reframe_firecrest.session.preparation import PreparedDirectory, Script, unchanged
from reframe_firecrest.session.refusals import explain_refusal
from reframe_firecrest.session.retrieval import RetrievalRequest
from reframe_firecrest.session.services import Services
from reframe_firecrest.session.session_record import SessionRecord
from reframe_firecrest.session.srun_command import without_cpus_per_task
from reframe_firecrest.session.stage_directory import StageDirectory
from reframe_firecrest.session.submission import Submission
from reframe_firecrest.staging.file_translation import Rewrite
from reframe_firecrest.staging.markers import new_token

_LOGGER = logging.getLogger(__name__)

ABANDON_TIMEOUT = 15.0
"""Seconds for keeping the jobs of an uncertain submission from running once its test has failed."""


class JobLife:
    """One job, from its acceptance to its final phase. Used on the event loop only.

    Args:
        handle: the job.
        ready: the session's services, once it is connected.
        record: the session's record.
    """

    def __init__(self, handle: JobHandle, ready: asyncio.Task[Services], record: SessionRecord) -> None:
        self._handle = handle
        self._spec = handle.spec
        self._ready = ready
        self._record = record
        self._directory: StageDirectory | None = None
        self._submission: Submission | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> asyncio.Task[None]:
        """Start the job; return the task of its life."""
        self._record.moved(self._handle)
        return self._spawn(self._live())

    def cancel(self, before: JobState) -> None:
        """Undo what has been done for a job that was cancelled.

        Args:
            before: its state before it was cancelled.
        """
        if before.phase is Phase.SUBMITTING:
            # Only the answer to the submission has the id; `_submit` cancels the job then.
            return
        for task in self._tasks:
            task.cancel()
        if before.phase is Phase.SUBMITTED and before.job_id is not None:
            self._services.cancel_queue.start(before.job_id)
        if self._submission is not None:
            self._spawn(self._abandon(self._submission))

    async def finish(self) -> None:
        """Wait until everything that was started for the job has ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def _services(self) -> Services:
        """The session's services, once it is connected."""
        return self._ready.result()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        self._tasks.append(asyncio.get_running_loop().create_task(work))
        return self._tasks[-1]

    # --- the life -----------------------------------------------------------------------------------

    async def _live(self) -> None:
        """Run the job; errors end in its state, and none is raised."""
        try:
            # The connection is shared: cancelling one job must not stop it for the others.
            await asyncio.shield(self._ready)
            await self._run()
        except asyncio.CancelledError:
            return
        except errors.FirecrestError as error:
            await self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - a defect that one job meets must not end the session
            text = f"{type(error).__name__}: {error}"
            _LOGGER.error("internal error: %s", text)  # noqa: TRY400 - a log record is one line
            await self._fail(f"internal error of reframe-firecrest: {text}; report it as a defect")

    async def _run(self) -> None:
        submission, account = await self._stage_in()
        job_id = await self._submit(submission, account)
        if job_id is not None:
            request = await self._follow(submission, job_id)
            await self._retrieve(request)

    async def _stage_in(self) -> tuple[Submission, str | None]:
        """Send the stage directory; return what is to be submitted, and the account to charge."""
        services, spec = self._services, self._spec
        self._advance(Phase.STAGING)
        if unsupported := unsupported_shape(services.context.system.capabilities, spec.shape):
            raise errors.RejectedError(str(unsupported))
        services.transfer_account.note(spec.transfer_account)
        script = Script(
            spec.script,
            new_token(),
            spec.outputs,
            self._rewrite(),
            services.settings.share_inputs,
            spec.shape.is_array,
        )
        self._directory = services.directories.get(spec.directory)
        prepared = await services.stage_in.stage(self._directory, script)
        remote = services.context.paths.remote_directory(spec.directory)
        submission = Submission(script.token, f"{remote}/{spec.script}", remote, spec.name)
        return submission, self._account(prepared)

    async def _submit(self, submission: Submission, account: str | None) -> str | None:
        """Submit the job; return its id, or None if it was cancelled meanwhile."""
        if not self._advance(Phase.SUBMITTING):
            return None
        services = self._services
        services.directories.get(self._spec.directory).outputs.update(self._spec.outputs)
        self._submission = submission
        try:
            job_id = await services.submitter.submit(submission, account, self._spec.resubmit_on)
        except errors.RejectedError as error:
            spec = self._spec
            # If the settings' account was not sent, the script names another one.
            of_script = spec.transfer_account if spec.account is None else None if account else ""
            raise await explain_refusal(services.context.gateway, error, account, of_script) from None
        if not self._advance(Phase.SUBMITTED, job_id=job_id, state="PENDING"):
            await asyncio.gather(
                services.cancel_queue.cancel(job_id), services.duplicates.abandon(submission)
            )
            return None
        _LOGGER.debug("job %s: %s in %s", job_id, submission.name, submission.directory)
        return job_id

    async def _follow(self, submission: Submission, job_id: str) -> RetrievalRequest:
        """Follow the job, or another one that runs its script instead, and list its results."""
        request = await self._follow_to_end(submission, job_id)
        while (other := await self._other_job(request)) is not None:
            _LOGGER.debug("job %s runs the script that job %s was submitted for", other, request.job_id)
            self._services.submitter.note(submission, other)
            if self._handle.follow_instead(other):
                self._record.moved(self._handle)
            request = await self._follow_to_end(submission, other)
        return request

    async def _retrieve(self, request: RetrievalRequest) -> None:
        """Fetch the results.

        Raises:
            StagingError: the job did not run the test's commands.
            FirecrestError: a file that the job must have can't be fetched.
        """
        services, directory = self._services, request.directory
        await services.duplicates.settle(request.submission)
        directory.job_ended(ran=request.ran and request.failure is None)
        await services.stage_out.fetch(request)
        if request.failure is not None:
            raise errors.StagingError(request.failure)
        self._advance(Phase.DONE)
        size = sum(entry.size for entry in request.listing)
        services.remote_cleanup.note_size(directory.local, directory.relative, size)

    # --- steps --------------------------------------------------------------------------------------

    async def _follow_to_end(self, submission: Submission, job_id: str) -> RetrievalRequest:
        """Follow one of Slurm's jobs to its end, and list its results."""
        services, spec = self._services, self._spec
        try:
            parts = await services.watcher.follow(
                job_id, self._learn, spec.name, submission.directory, spec.shape
            )
        except errors.JobHeldError:
            services.cancel_queue.start(job_id)
            raise
        self._advance(Phase.RETRIEVING)
        directory = services.directories.get(spec.directory)
        request = RetrievalRequest(directory, spec, submission, job_id, parts)
        await services.stage_out.list_results(request)
        return request

    async def _other_job(self, request: RetrievalRequest) -> str | None:
        """Return another job that has claimed the submission, or may still do so."""
        holder = request.markers.holder
        if holder is None and request.is_uncertain and request.markers.error is None:
            return await self._services.submitter.find(request.submission)
        return None if holder == request.job_id else holder

    def _rewrite(self) -> Rewrite:
        """Return the change that the script needs for the system's version of ``srun``."""
        cpus, version = self._spec.cpus_per_task, self._services.context.system.capabilities.scheduler_version
        return (lambda script: without_cpus_per_task(script, cpus, version)) if cpus else unchanged

    def _account(self, prepared: PreparedDirectory) -> str | None:
        """Return the account to charge; None if the script sets it."""
        return None if prepared.names_account else self._spec.account

    # --- state --------------------------------------------------------------------------------------

    def _advance(self, phase: Phase, **changes: object) -> bool:
        advanced = self._handle.advance(phase, **changes)
        if advanced:
            self._record.moved(self._handle)
        return advanced

    def _learn(self, state: JobState) -> None:
        if self._handle.learn(state):
            self._record.moved(self._handle)

    async def _fail(self, error: str) -> None:
        if self._submission is not None:
            await self._abandon(self._submission)
        if self._directory is not None and self._directory.sent:
            remote = f"{self._services.context.root}/{self._directory.relative}"
            error += f"; its stage directory on the system: {remote}"
        self._advance(Phase.FAILED, state="FAILED", error=error)

    async def _abandon(self, submission: Submission) -> None:
        with suppress(asyncio.TimeoutError, errors.FirecrestError):
            await asyncio.wait_for(self._services.duplicates.abandon(submission), ABANDON_TIMEOUT)
