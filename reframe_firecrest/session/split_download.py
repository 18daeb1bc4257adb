"""Download of large archives without a storage: one small job splits those that are waiting into parts."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.gateway.direct_transfer import download_parts
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.concurrency import all_or_none
from reframe_firecrest.model.directives import access_options, names_account
from reframe_firecrest.model.job import JobSpec
from reframe_firecrest.model.remote_file import RemoteFile
from reframe_firecrest.session.batcher import Batcher, BatchPolicy
from reframe_firecrest.session.cancel_queue import CancelQueue
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.session.duplicates import Duplicates
from reframe_firecrest.session.split_upload import MAX_PART
from reframe_firecrest.session.submission import Submission, Submitter
from reframe_firecrest.session.watcher import Watcher, ignore
from reframe_firecrest.staging.inspection import digest_of
from reframe_firecrest.staging.markers import new_token
from reframe_firecrest.staging.split_script import NAME, SplitFile, parse_parts, split_script
from reframe_firecrest.staging.unpack import UNASKED_BYTES

_LOGGER = logging.getLogger(__name__)

ATTEMPTS = 3
"""Downloads of a file that arrives damaged, after which it counts as damaged on the system."""

LISTINGS = (0.0, 1.0, 2.0)
"""Seconds before each listing of a job's directory: a shared file system may show its files late."""


@dataclass(frozen=True)
class _Wanted:
    """A file to fetch.

    Attributes:
        remote: its absolute path on the system.
        local: the local path.
        listed: bytes of the files that are packed in it, as listed.
        spec: a job whose account and partition the job that splits it may use.
        progress: called after each part.
    """

    remote: str
    local: Path
    listed: int
    spec: JobSpec
    progress: Progress


class SplitDownload:
    """Download files that are too large for one request.

    Args:
        context: the session.
        submitter: submits the jobs.
        watcher: follows them.
        duplicates: cancels what uncertain submissions have left.
        cancel_queue: cancels the jobs.
    """

    def __init__(
        self,
        context: SessionContext,
        submitter: Submitter,
        watcher: Watcher,
        duplicates: Duplicates,
        cancel_queue: CancelQueue,
    ) -> None:
        self._context = context
        self._gateway = context.gateway
        self._submitter = submitter
        self._watcher = watcher
        self._duplicates = duplicates
        self._cancel_queue = cancel_queue
        self._part_size = min(context.system.capabilities.max_direct_download, MAX_PART)
        self._numbers = itertools.count(1)
        self._active: set[asyncio.Task[None]] = set()
        policy = BatchPolicy(UNASKED_BYTES, max_delay=1.0, max_delay_limit=lambda: 5.0)
        self._batcher: Batcher[_Wanted] = Batcher(self._fetch_tracked, lambda item: item.listed, policy)

    async def fetch(self, remote: str, local: Path, listed: int, spec: JobSpec, progress: Progress) -> None:
        """Download a file, split by the same job as others that are waiting.

        Args:
            remote: its absolute path on the system.
            local: the local path; the file appears when it is complete.
            listed: bytes of the files that are packed in it, as listed.
            spec: a job whose account and partition the job may use.
            progress: called after each part.

        Raises:
            FirecrestError: it could not be split or downloaded.
        """
        await self._batcher.join(_Wanted(remote, local, listed, spec, progress))

    async def abandon(self) -> None:
        """Cancel the jobs whose results are not needed any more, at the end of the session."""
        active = [*self._active]
        for task in active:
            task.cancel()
        await asyncio.gather(*active, return_exceptions=True)

    async def _fetch_tracked(self, wanted: Sequence[_Wanted]) -> None:
        task = asyncio.get_running_loop().create_task(self._fetch_batch(wanted))
        self._active.add(task)
        task.add_done_callback(self._active.discard)
        try:
            await task
        except asyncio.CancelledError:
            raise errors.UncertainError("the session ended before a large file was fetched") from None

    async def _fetch_batch(self, wanted: Sequence[_Wanted]) -> None:
        directory = f"{self._context.transfer}/split-{next(self._numbers)}"
        await self._gateway.make_directory(directory)
        try:
            job_id = await self._split(directory, wanted)
            results = f"{directory}/{job_id}"
            files = await self._list(results, wanted)
            await all_or_none(
                [self._download(results, file, item) for file, item in zip(files, wanted, strict=True)]
            )
        finally:
            await self._remove(directory)

    async def _split(self, directory: str, wanted: Sequence[_Wanted]) -> str:
        """Run the job; return its id."""
        spec = wanted[0].spec
        test_script = await asyncio.to_thread(_script_of, spec)
        script = split_script(
            directory, [item.remote for item in wanted], self._part_size, access_options(test_script)
        )
        path = await self._gateway.upload_part(script.encode(), f"{directory}/split.sh")
        submission = Submission(new_token(), path, directory, NAME)
        job_id, requested = None, clock()
        try:
            account = None if names_account(test_script) else spec.account
            job_id = await self._submitter.submit(submission, account)
            parts = await self._watcher.follow(job_id, ignore, NAME, directory)
        except BaseException as error:
            if job_id is not None:
                self._cancel_queue.start(job_id)
            elif isinstance(error, asyncio.CancelledError):
                # The answer to the submission is not waited for.
                submission.doubt(requested)
            await self._duplicates.abandon(submission)
            raise
        await self._duplicates.settle(submission)
        if not all(part.succeeded for part in parts):
            state = ", ".join(sorted({part.state for part in parts}))
            raise errors.RejectedError(
                f"splitting a large file on the system failed: job {job_id} ended as {state}; "
                f"see scontrol show job {job_id} there"
            )
        return job_id

    async def _list(self, results: str, wanted: Sequence[_Wanted]) -> list[SplitFile]:
        """List the parts."""
        for pause in LISTINGS:
            await asyncio.sleep(pause)
            try:
                return _parse(await self._gateway.list_directory(results), wanted, self._part_size)
            except (errors.NotFoundError, errors.HostileArchiveError) as error:
                failure: errors.FirecrestError = error
        raise failure

    async def _download(self, results: str, file: SplitFile, wanted: _Wanted) -> None:
        """Download the parts of a file and join them; again if they arrive damaged."""
        for left in reversed(range(ATTEMPTS)):
            parts = [(f"{results}/{name}", size) for name, size in file.parts]
            await download_parts(parts, wanted.local, self._gateway.download_part, wanted.progress)
            digest = await asyncio.to_thread(digest_of, str(wanted.local)) if file.digest else None
            if digest == file.digest:
                return
            await asyncio.to_thread(wanted.local.unlink)
            if not left:
                raise errors.DamagedArchiveError(f"{wanted.remote} arrived damaged {ATTEMPTS} times")

    async def _remove(self, directory: str) -> None:
        """Remove the parts; what remains is removed with the run's directory."""
        try:
            await self._gateway.remove(directory)
        except errors.GatewayError as error:
            _LOGGER.debug("%s was not removed: %s", directory, error)


def _parse(listing: Collection[RemoteFile], wanted: Sequence[_Wanted], part_size: int) -> list[SplitFile]:
    return [
        parse_parts(listing, number, part_size, 2 * item.listed + UNASKED_BYTES)
        for number, item in enumerate(wanted)
    ]


def _script_of(spec: JobSpec) -> str:
    """Return a test's own job script; empty if it is missing."""
    try:
        return Path(spec.directory, spec.script).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
