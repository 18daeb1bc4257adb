"""Upload of archives in parts, several at a time, directly through the gateway."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model.capabilities import Capabilities
from reframe_firecrest.model.concurrency import all_or_none
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.staging.split_archive import SplitArchive, part_sizes

PARTS_AT_A_TIME = 3
"""Parts in memory at a time, in the whole session."""

MAX_PART = 5 * 1024 * 1024
"""Bytes of a part at most, also where the gateway accepts more: parts are in memory."""


def part_size_of(capabilities: Capabilities) -> int:
    """Return the bytes of a part."""
    return min(capabilities.max_direct_upload, MAX_PART)


class SplitUpload:
    """Upload archives in parts.

    Args:
        context: the session.

    Attributes:
        part_size: bytes of a part.
    """

    def __init__(self, context: SessionContext) -> None:
        self._gateway = context.gateway
        self._directory = context.transfer
        self.part_size = part_size_of(context.system.capabilities)
        self._slots = asyncio.Semaphore(PARTS_AT_A_TIME)
        self._numbers = itertools.count(1)

    async def send(self, local: Path, digest: str, files: int, progress: Progress) -> SplitArchive:
        """Upload an archive.

        Args:
            local: the archive.
            digest: its digest.
            files: number of files in it.
            progress: called after each part.

        Raises:
            GatewayError: a part did not arrive.
        """
        size = (await asyncio.to_thread(local.stat)).st_size
        name, sent = f"{self._directory}/large-{next(self._numbers)}", 0

        async def send_part(number: int, at: int, length: int) -> str:
            nonlocal sent
            async with self._slots:
                content = await asyncio.to_thread(_read, local, at, length)
                path = await self._gateway.upload_part(content, f"{name}.{number}")
            sent += length
            progress(sent, size)
            return path.removeprefix(f"{self._directory}/")

        spans = part_sizes(size, self.part_size)
        parts = await all_or_none([send_part(number, *span) for number, span in enumerate(spans)])
        return SplitArchive(self._directory, tuple(parts), digest, files)


def _read(local: Path, at: int, length: int) -> bytes:
    # Without a buffer, which would need as much memory again.
    with local.open("rb", buffering=0) as file:
        file.seek(at)
        return file.read(length)
