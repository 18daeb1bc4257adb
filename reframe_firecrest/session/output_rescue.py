"""Standard output and error by themselves, where the rest of what a job made can't be fetched."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Protocol

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.staging.retrieval_plan import Plan
from reframe_firecrest.staging.unpack import Destination, place_file


class Fetched(Protocol):
    """What is to be brought back for one job, as far as this needs it."""

    plan: Plan | None
    fetched: set[str]

    @property
    def place(self) -> tuple[str, str]:
        """The stage directory here, and the same relative to the run's directory."""
        ...

    @property
    def wanted_outputs(self) -> list[str]:
        """Standard output and error, relative to the stage directory."""
        ...


class Rescue:
    """Downloads outputs without an archive.

    Args:
        gateway: the way there.
        root: the run's remote directory.
        scratch: local directory for what is under way.
    """

    def __init__(self, gateway: Gateway, root: str, scratch: Path) -> None:
        self._gateway = gateway
        self._root = root
        self._scratch = scratch
        self._numbers = itertools.count(1)

    async def rescue(self, job: Fetched, error: errors.FirecrestError) -> None:
        """Fetch the output after everything together has failed; the other files stay on the system.

        Raises:
            FirecrestError: the output can't be fetched either, or the failure is not that of single files.
        """
        if isinstance(error, errors.AuthError):
            raise error
        try:
            for path in job.wanted_outputs:
                if path not in job.fetched:
                    await self._download(job, path)
        except errors.FirecrestError:
            raise error from None
        if job.plan is None or isinstance(error, errors.HostileArchiveError | errors.DamagedArchiveError):
            raise error
        for path in job.plan.files.keys() - job.fetched:
            del job.plan.files[path]
            job.plan.left[path] = str(error)

    async def _download(self, job: Fetched, path: str) -> None:
        size = job.plan.files[path].size if job.plan else 0
        local = self._scratch / f"output-{next(self._numbers)}"
        directory, relative = job.place
        try:
            await self._gateway.download(f"{self._root}/{relative}/{path}", local, size_hint=size)
            await asyncio.to_thread(place_file, local, Destination(directory, path, size))
        finally:
            await asyncio.to_thread(local.unlink, missing_ok=True)
        job.fetched.add(path)
