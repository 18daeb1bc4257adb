"""Packing, upload and extraction of archives that hold several stage directories."""

from __future__ import annotations

import asyncio
import itertools
import posixpath
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from reframe_firecrest.model.errors import UncertainError
from reframe_firecrest.model.units import format_count, format_size
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.session.progress import reported
from reframe_firecrest.staging.pack import ArchivePart, SentStat, pack

EXTRACT_ATTEMPTS = 4
"""Number of times that an archive is sent and extracted while the outcome of its extraction is uncertain."""


class ArchiveUpload:
    """Send archives.

    Args:
        context: the session.
    """

    def __init__(self, context: SessionContext) -> None:
        self._gateway = context.gateway
        self._root = context.root
        self._transfer = context.transfer
        self._scratch = context.scratch
        self._existing: set[str] = set()
        self._creating = asyncio.Lock()
        self._numbers = itertools.count(1)

    async def send(
        self, directories: Sequence[ArchivePart], shared: Sequence[ArchivePart]
    ) -> tuple[list[dict[str, SentStat]], int]:
        """Send parts in one archive.

        Args:
            directories: parts of stage directories.
            shared: parts that several of their jobs copy from.

        Returns:
            The files that each stage directory got, and the archive's size in bytes.

        Raises:
            FirecrestError: it did not arrive, or was not extracted.
        """
        local = self._scratch / f"in-{next(self._numbers)}.tgz"
        parts = [*directories, *shared]
        try:
            sent = await asyncio.to_thread(pack, parts, local)
            size = (await asyncio.to_thread(local.stat)).st_size
            count = format_count(len(directories), "stage directory", "stage directories")
            what = f"sending {format_size(size)} of {count}"
            await self._upload_and_extract(local, what, [part.prefix for part in parts])
        finally:
            await asyncio.to_thread(local.unlink, missing_ok=True)
        return sent[: len(directories)], size

    async def _upload_and_extract(self, local: Path, what: str, prefixes: Sequence[str]) -> None:
        """Upload and extract an archive; under another name again while the extraction is uncertain."""
        for left in reversed(range(EXTRACT_ATTEMPTS)):
            name = f"{self._transfer}/in-{next(self._numbers)}.tgz"
            async with reported(what) as progress:
                archive = await self._gateway.upload(local, name, progress)
            try:
                await self._extract(archive, prefixes)
            except UncertainError:
                if not left:
                    raise
            else:
                return

    async def _extract(self, archive: str, prefixes: Sequence[str]) -> None:
        """Extract an archive, one at a time where parent directories are new.

        ``tar`` fails if another process creates the same directory at the same moment.
        """
        parents = {str(parent) for prefix in prefixes for parent in PurePosixPath(prefix).parents}
        if parents <= self._existing:
            await self._extract_once(archive)
            return
        async with self._creating:
            await self._extract_once(archive)
        self._existing |= parents

    async def _extract_once(self, archive: str) -> None:
        """Extract an archive now or never: later, old files would replace what a job has written.

        Raises:
            UncertainError: it may have been extracted, but will not be any more.
        """
        try:
            await self._gateway.extract(archive, self._root)
        except UncertainError:
            await self._gateway.withdraw(archive)
            raise


def store_directory(transfer: str, store: str) -> str:
    """Return a directory below the transfer directory, relative to where archives are extracted."""
    return f"{posixpath.basename(transfer)}/{store}"
