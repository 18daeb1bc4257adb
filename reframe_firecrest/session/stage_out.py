"""Retrieval: fetch what jobs made or changed, in one archive for all that have ended."""

from __future__ import annotations

import asyncio
import itertools
import posixpath
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from reframe_firecrest.gateway import direct_transfer
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import TransferMethod
from reframe_firecrest.model.job import JobSpec
from reframe_firecrest.model.remote_file import Archive
from reframe_firecrest.model.units import format_count, format_size
from reframe_firecrest.session.batcher import Batcher, BatchPolicy
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.session.job_reports import unpack_report
from reframe_firecrest.session.local_results import apply_results
from reframe_firecrest.session.output_rescue import OutputRescue
from reframe_firecrest.session.packing import Packer
from reframe_firecrest.session.progress import reported
from reframe_firecrest.session.result_listing import ResultListing
from reframe_firecrest.session.retrieval import RetrievalRequest
from reframe_firecrest.session.split_download import SplitDownload
from reframe_firecrest.staging.unpack import Destination, Unpacked, unpack

DOWNLOAD_ATTEMPTS = 3
"""Number of downloads of an archive that arrives damaged, after which it counts as damaged on the system."""

_Fetch = Callable[..., Awaitable[None]]

NOT_PACKED = "it is listed, but could not be packed there"
"""Reason of a file that neither arrived nor was refused."""


class StageOut:
    """Lists and fetches the results of jobs.

    Args:
        context: the session.
        split: downloads archives that are too large for one request, where the gateway has no storage.
    """

    def __init__(self, context: SessionContext, split: SplitDownload) -> None:
        self._context = context
        self._split = split
        numbers = itertools.count(1)
        self._packer = Packer(
            context.gateway, context.root, lambda: f"{context.transfer}/out-{next(numbers)}"
        )
        self._rescue = OutputRescue(context.gateway, context.root, context.scratch)
        # Jobs whose end was noticed together arrive together, so no delay is needed. Listings have no size.
        self._lists: Batcher[RetrievalRequest] = Batcher(
            ResultListing(context).list_batch,
            lambda _request: 0,
            BatchPolicy(context.batch_limit, max_delay=0.0),
        )
        self._fetches: Batcher[RetrievalRequest] = Batcher(
            self._fetch_batch,
            lambda request: request.planned_size,
            BatchPolicy(context.batch_limit, max_delay=0.0),
        )

    async def list_results(self, request: RetrievalRequest) -> None:
        """List a job's results, together with those of other jobs that have ended.

        Raises:
            FirecrestError: they can't be listed. Standard output and error have been fetched if possible.
        """
        try:
            await self._lists.join(request)
        except (errors.FinalError, errors.StagingError) as error:
            await self._rescue.rescue(request, error)

    async def fetch(self, request: RetrievalRequest) -> None:
        """Fetch a job's listed results, together with those of other jobs.

        Raises:
            FirecrestError: a file that the job must have can't be fetched.
        """
        try:
            # A thread only if needed: jobs that were listed together would no longer arrive together.
            hides = request.may_hide_changes()
            alike = await asyncio.to_thread(request.directory.unchanged_files) if hides else ()
            request.make_plan(alike)
            if request.report is not None:
                await self._unpack_report(request)
            if request.destinations:
                await self._fetches.join(request)
        except (errors.FinalError, errors.StagingError) as error:
            await self._rescue.rescue(request, error)
        await asyncio.to_thread(apply_results, request, self._context.root)

    async def abandon(self) -> None:
        """Cancel what was begun for results that are not needed any more, at the end of the session."""
        await self._split.abandon()

    async def _unpack_report(self, request: RetrievalRequest) -> None:
        begun, planned = time.monotonic(), request.planned_size
        await asyncio.to_thread(unpack_report, request)
        if request.fetched:
            unpacked, seconds = planned - request.planned_size, time.monotonic() - begun
            self._context.record.fetched(len(request.fetched), 1, unpacked, seconds)

    async def _fetch_batch(self, requests: Sequence[RetrievalRequest]) -> None:
        wanted: dict[str, Destination] = {}
        owners: dict[str, RetrievalRequest] = {}
        for request in requests:
            destinations = request.destinations
            wanted.update(destinations)
            owners.update(dict.fromkeys(destinations, request))
        size = sum(request.planned_size for request in requests)
        begun = time.monotonic()
        unreadable = {name: reason for request in requests for name, reason in request.unreadable.items()}
        archives, refused = await self._packer.pack(list(wanted), unreadable)
        what = f"fetching {format_size(size)} of {format_count(len(requests), 'job')}"
        fetch = partial(self._fetch_archive, wanted=wanted, what=what, spec=requests[0].spec)
        unpacked = await self._fetch_archives(archives, fetch)
        self._context.record.fetched(len(unpacked.placed), len(requests), size, time.monotonic() - begun)
        for name in unpacked.placed:
            owners[name].fetched.add(wanted[name].path)
        missing = wanted.keys() - unpacked.placed
        absent = {name: refused.get(name, NOT_PACKED) for name in missing} | unpacked.refused
        # Outputs last: a missing output fails the batch, and the others must be recorded before.
        for name in sorted(absent, key=lambda name: owners[name].is_output(wanted[name].path)):
            may_retry = len(requests) > 1 and name not in refused
            self._give_up(owners[name], wanted[name].path, absent[name], may_retry=may_retry)

    def _give_up(self, request: RetrievalRequest, path: str, reason: str, *, may_retry: bool) -> None:
        """Leave a file on the system.

        Args:
            request: the job's.
            path: the file, relative to the stage directory.
            reason: why it did not arrive.
            may_retry: it may arrive if its job is fetched alone.

        Raises:
            StagingError: the file is an output, or may still arrive.
        """
        if may_retry or request.plan is None or request.is_output(path):
            remote = f"{self._context.root}/{request.directory.relative}/{path}"
            raise errors.StagingError(f"{remote} was not retrieved: {reason}")
        del request.plan.files[path]
        if path not in request.plan.suspects:
            request.plan.left[path] = reason

    async def _fetch_archives(
        self, archives: Sequence[Archive], fetch: Callable[[Archive], Awaitable[Unpacked]]
    ) -> Unpacked:
        """Download and unpack archives."""
        # All must have ended before an error is raised: nothing may write when another attempt begins.
        results = await asyncio.gather(*map(fetch, archives), return_exceptions=True)
        total = Unpacked()
        for result in results:
            if isinstance(result, BaseException):
                raise result
            total.placed |= result.placed
            total.refused.update(result.refused)
        return total

    async def _fetch_archive(
        self, archive: Archive, wanted: Mapping[str, Destination], what: str, spec: JobSpec
    ) -> Unpacked:
        """Download an archive and unpack its wanted files; return them by the names in `wanted`."""
        inside = _inside(wanted, archive.below)
        unpacked = await self._download_and_unpack(archive.path, inside, what, spec)
        return Unpacked(
            {posixpath.join(archive.below, name) for name in unpacked.placed},
            {posixpath.join(archive.below, name): reason for name, reason in unpacked.refused.items()},
        )

    async def _download_and_unpack(
        self, archive: str, wanted: Mapping[str, Destination], what: str, spec: JobSpec
    ) -> Unpacked:
        """Download an archive and unpack it; again if it arrives damaged."""
        size = sum(destination.size for destination in wanted.values())
        local = self._context.scratch / posixpath.basename(archive)
        for left in reversed(range(DOWNLOAD_ATTEMPTS)):
            try:
                async with reported(what) as progress:
                    await self._download(
                        archive, local, size, partial(self._split.fetch, spec=spec), progress
                    )
                return await asyncio.to_thread(unpack, local, wanted)
            except errors.DamagedArchiveError:
                if not left:
                    raise
            finally:
                await asyncio.to_thread(local.unlink, missing_ok=True)
        raise AssertionError("unreachable: the last download returns or raises")

    async def _download(
        self, archive: str, local: Path, size: int, split: _Fetch, progress: Progress
    ) -> None:
        """Download an archive, by the way that the gateway offers for its size."""
        gateway, capabilities = self._context.gateway, self._context.system.capabilities
        if capabilities.transfer is TransferMethod.S3:
            await gateway.download(archive, local, size_hint=size, progress=progress)
            return
        await direct_transfer.download(
            local,
            size,
            # The size is that of the files before compression.
            2 * capabilities.max_direct_download,
            lambda: gateway.download_part(archive, size),
            lambda: split(archive, local, size, progress=progress),
        )


def _inside(wanted: Mapping[str, Destination], below: str) -> Mapping[str, Destination]:
    """Return the files below a directory, named relative to it."""
    if not below:
        return wanted
    prefix = f"{below}/"
    return {name.removeprefix(prefix): to for name, to in wanted.items() if name.startswith(prefix)}
