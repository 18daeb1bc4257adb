"""Fetch standard output and error alone if the other results of a job can't be fetched."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.session.retrieval import RetrievalRequest
from reframe_firecrest.staging.unpack import Destination, place_file


class OutputRescue:
    """Download outputs without an archive.

    Args:
        gateway: the gateway.
        root: the run's remote directory.
        scratch: local directory for files in transit.
    """

    def __init__(self, gateway: Gateway, root: str, scratch: Path) -> None:
        self._gateway = gateway
        self._root = root
        self._scratch = scratch
        self._numbers = itertools.count(1)

    async def rescue(self, request: RetrievalRequest, error: errors.FirecrestError) -> None:
        """Fetch the outputs after the job's results could not be fetched together; other files stay there.

        Raises:
            FirecrestError: the outputs can't be fetched either, or the error does not concern single files.
        """
        if isinstance(error, errors.AuthError):
            raise error
        try:
            for path in request.planned_outputs:
                if path not in request.fetched:
                    await self._download(request, path)
        except errors.FirecrestError:
            raise error from None
        if request.plan is None or isinstance(error, errors.HostileArchiveError | errors.DamagedArchiveError):
            raise error
        for path in request.plan.files.keys() - request.fetched:
            del request.plan.files[path]
            request.plan.left[path] = str(error)

    async def _download(self, request: RetrievalRequest, path: str) -> None:
        size = request.plan.files[path].size if request.plan else 0
        local = self._scratch / f"output-{next(self._numbers)}"
        directory = request.directory
        try:
            await self._gateway.download(f"{self._root}/{directory.relative}/{path}", local, size_hint=size)
            await asyncio.to_thread(place_file, local, Destination(directory.local, path, size))
        finally:
            await asyncio.to_thread(local.unlink, missing_ok=True)
        request.fetched.add(path)
