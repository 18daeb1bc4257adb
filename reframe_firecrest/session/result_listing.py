"""Listing of the results of jobs that have not reported them: one request for all in the same directory."""

from __future__ import annotations

import asyncio
import logging
import posixpath
from collections import defaultdict
from collections.abc import Sequence

from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import RemoteFile
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.session.job_reports import JobReports
from reframe_firecrest.session.listing import REFUSALS, list_completely, split
from reframe_firecrest.session.retrieval import RetrievalRequest
from reframe_firecrest.staging.paths import shard_of

_LOGGER = logging.getLogger(__name__)

OUTPUT_ATTEMPTS = 3
"""Number of listings by which the output of a job that ran must have appeared. A shared file system may show
files of a compute node late."""

OUTPUT_PAUSE = 1.0
"""Seconds between these listings."""

ENTRIES_PER_REQUEST = 50
"""Entries of a listing that cost as much as a request: each has about 400 bytes."""

TOO_LARGE = (errors.OperationTimeoutError, errors.TooLargeError)
"""Errors after which the directories of a shard are listed one by one."""


class ResultListing:
    """List the stage directories of jobs that have ended.

    Args:
        context: the session.
    """

    def __init__(self, context: SessionContext) -> None:
        self._gateway = context.gateway
        self._root = context.root
        self._claims = context.claims
        self._large_shards: set[str] = set()
        self._entries: dict[str, int] = {}
        self._reports = JobReports(context)

    async def list_batch(self, requests: Sequence[RetrievalRequest]) -> None:
        """List the stage directories of some jobs; those that have reported their results need no request.

        Raises:
            FirecrestError: one of them can't be listed.
        """
        shards: dict[str, list[RetrievalRequest]] = defaultdict(list)
        for request in await self._reports.take(requests):
            shards[shard_of(request.directory.relative)].append(request)
        await asyncio.gather(*(self._list_shard(shard, some) for shard, some in shards.items()))

    async def _list_shard(self, shard: str, requests: Sequence[RetrievalRequest]) -> None:
        incomplete = requests
        if shard not in self._large_shards and self._is_cheaper_together(requests):
            try:
                incomplete = await self._list_together(requests)
            except REFUSALS as error:
                if isinstance(error, TOO_LARGE):
                    # The directory only grows.
                    self._large_shards.add(shard)
        await asyncio.gather(*map(self._list_one, incomplete))

    def _is_cheaper_together(self, requests: Sequence[RetrievalRequest]) -> bool:
        """Return true if one listing costs less than one for each job: it shows the files of others too."""
        apart = sum(ENTRIES_PER_REQUEST + len(request.directory.remote) for request in requests)
        return len(requests) > 1 and self._entries.get(_common_directory(requests), 0) <= apart

    async def _list_together(self, requests: Sequence[RetrievalRequest]) -> Sequence[RetrievalRequest]:
        """List directories in one request; return the jobs whose results it does not show completely."""
        relatives = [request.directory.relative for request in requests]
        top = _common_directory(requests)
        entries = await self._gateway.list_tree(posixpath.normpath(f"{self._root}/{top}"))
        self._entries[top] = len(entries)
        listings = split(entries, [posixpath.relpath(path, top or ".") for path in relatives])
        for request, listing in zip(requests, listings, strict=True):
            request.take_listing(listing)
        return [request for request in requests if not (request.shows_output() and request.shows_start())]

    async def _list_one(self, request: RetrievalRequest) -> None:
        for attempt in range(OUTPUT_ATTEMPTS):
            if attempt:
                await asyncio.sleep(OUTPUT_PAUSE)
            tree = await list_completely(self._gateway, f"{self._root}/{request.directory.relative}")
            request.take_listing(tree.entries, tree.closed)
            if not request.shows_start():
                # A job may remove anything in its stage directory, but claims are out of its reach.
                request.take_claims(await self._list_claims())
            if request.shows_output() and request.shows_start():
                return
        missing = request.missing_outputs()
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            _LOGGER.warning(
                "no output of a task that ran: %s/%s%s", request.directory.relative, missing[0], more
            )

    async def _list_claims(self) -> Sequence[RemoteFile]:
        try:
            return await self._gateway.list_directory(self._claims)
        except errors.NotFoundError:
            return ()


def _common_directory(requests: Sequence[RetrievalRequest]) -> str:
    return posixpath.commonpath([request.directory.relative for request in requests])
