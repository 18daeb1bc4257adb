"""Retrieval by the reports that jobs make at their end; see `staging.job_report`."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from reframe_firecrest.model import errors
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.session.retrieval import RetrievalRequest
from reframe_firecrest.staging.job_report import LARGEST, SUFFIX, read_listing
from reframe_firecrest.staging.unpack import Destination, unpack

_LOGGER = logging.getLogger(__name__)

FEW = 2
"""Number of reports that are downloaded one by one: for more, one archive of them takes fewer requests."""

MAX_MISSING = 3
"""Consecutive jobs without a report after which none is requested: a system may lack the commands."""


class JobReports:
    """Take the results of jobs from their reports.

    Args:
        context: the session.
    """

    def __init__(self, context: SessionContext) -> None:
        self._gateway = context.gateway
        self._claims = context.claims
        self._transfer = context.transfer
        self._scratch = context.scratch
        # Otherwise each report takes requests of its own.
        self._may_pack = context.system.capabilities.selects_files
        self._max_direct = context.system.capabilities.max_direct_download
        self._numbers = itertools.count(1)
        self._missing = 0

    async def take(self, requests: Sequence[RetrievalRequest]) -> list[RetrievalRequest]:
        """Take the listings of jobs from their reports; return the jobs that have to be listed.

        Errors are not raised: they show again when a job is listed.
        """
        reporting = [request for request in requests if self._may_report(request)]
        if reporting:
            await self._fetch(reporting)
            await asyncio.gather(*(asyncio.to_thread(self._read, request) for request in reporting))
            for request in reporting:
                self._missing = 0 if request.report else self._missing + 1
        return [request for request in requests if request.report is None]

    def _may_report(self, request: RetrievalRequest) -> bool:
        return self._may_pack and self._missing < MAX_MISSING and request.may_report

    async def _fetch(self, requests: Sequence[RetrievalRequest]) -> None:
        """Download reports to the scratch directory, as far as they exist."""
        names = [f"{request.submission.token}{SUFFIX}" for request in requests]
        try:
            if len(names) <= FEW:
                await asyncio.gather(*(self._download(f"{self._claims}/{name}", name) for name in names))
            else:
                await self._fetch_packed(names)
        except errors.FirecrestError as error:
            _LOGGER.debug("results will be listed: %s", error)

    async def _fetch_packed(self, names: Sequence[str]) -> None:
        wanted = {name: Destination(str(self._scratch), name, LARGEST) for name in names}
        target = f"{self._transfer}/reports-{next(self._numbers)}"
        for archive in await self._gateway.archive(self._claims, names, target):
            local = f"{next(self._numbers)}-reports{SUFFIX}"
            # Reports seldom have more than a few kB: a transfer job would wait in Slurm's queue for nothing.
            await self._download(archive.path, local, min(len(names) * LARGEST, self._max_direct))
            await asyncio.to_thread(_unpack_and_remove, self._scratch / local, wanted)

    async def _download(self, remote: str, name: str, size: int = LARGEST) -> None:
        await self._gateway.download(remote, self._scratch / name, size_hint=size)

    def _read(self, request: RetrievalRequest) -> None:
        """Read a report if it has come; it counts only if it is complete and shows what it must."""
        report = self._scratch / f"{request.submission.token}{SUFFIX}"
        if not report.exists():
            return
        try:
            request.take_listing(read_listing(report, request.submission.token))
        except errors.FirecrestError as error:
            _LOGGER.debug("results will be listed: %s", error)
        else:
            if request.shows_output() and request.shows_start():
                request.report = report
                return
        report.unlink()


def unpack_report(request: RetrievalRequest) -> None:
    """Unpack the files of a job that are in its report, and remove the report.

    Raises:
        StagingError: the stage directory can't be written.
    """
    report, request.report = request.report, None
    if report is None:
        return
    prefix = f"{request.directory.relative}/"
    wanted = {name.removeprefix(prefix): place for name, place in request.destinations.items()}
    try:
        request.fetched |= unpack(report, wanted).placed
    except errors.DamagedArchiveError as error:
        _LOGGER.debug("results will be fetched: %s", error)
    finally:
        report.unlink(missing_ok=True)


def _unpack_and_remove(archive: Path, wanted: Mapping[str, Destination]) -> None:
    try:
        unpack(archive, wanted)
    finally:
        archive.unlink(missing_ok=True)
