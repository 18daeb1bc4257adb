"""Transfer of files, directly through the gateway if it accepts them, otherwise through its storage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from reframe_firecrest.gateway.object_storage.local_file import OpenFile, arriving
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model import errors
from reframe_firecrest.model.concurrency import all_or_none

TOO_LARGE_FOR_DIRECT = (errors.TooLargeError, errors.OperationTimeoutError)
"""Errors after which the storage is used: a proxy's limit, or a file system that takes more than 5 s."""

PARTS_AT_A_TIME = 3
"""Parts of a file that are downloaded at a time; each is in memory."""


async def upload(
    local: Path,
    at_most: int,
    direct: Callable[[bytes], Awaitable[str]],
    via_storage: Callable[[], Awaitable[str]],
) -> str:
    """Upload a file; return its remote path.

    Args:
        local: the file.
        at_most: bytes up to which the direct way is tried.
        direct: sends the content; returns the remote path.
        via_storage: sends the file through the storage; returns the remote path. This must be another path,
            since a direct upload that was cut off may still be writing.

    Raises:
        GatewayError: both ways failed.
    """
    if (await asyncio.to_thread(local.stat)).st_size <= at_most:
        content = await asyncio.to_thread(local.read_bytes)
        try:
            return await direct(content)
        except TOO_LARGE_FOR_DIRECT:
            pass
    return await via_storage()


async def download(
    local: Path,
    size_hint: int,
    at_most: int,
    direct: Callable[[], Awaitable[bytes]],
    via_storage: Callable[[], Awaitable[None]],
) -> None:
    """Download a file.

    Args:
        local: the local path; the file appears when it is complete.
        size_hint: approximate bytes of the file.
        at_most: bytes up to which the direct way is tried.
        direct: returns the content.
        via_storage: fetches the file through the storage.

    Raises:
        GatewayError: both ways failed.
    """
    if size_hint <= at_most:
        try:
            content = await direct()
        except TOO_LARGE_FOR_DIRECT:
            pass
        else:
            with arriving(local) as file:
                await file.write(content, 0)
            return
    await via_storage()


async def download_parts(
    parts: Sequence[tuple[str, int]],
    local: Path,
    direct: Callable[[str, int], Awaitable[bytes]],
    progress: Progress,
) -> None:
    """Download the parts of a file, several at a time, and join them.

    Args:
        parts: remote paths of the parts and their sizes in bytes, in order.
        local: the local path; the file appears when it is complete.
        direct: returns the content of a part.
        progress: called after each part.

    Raises:
        DamagedArchiveError: a part has another size.
        GatewayError: a part did not arrive.
    """
    slots = asyncio.Semaphore(PARTS_AT_A_TIME)
    total, done = sum(size for _, size in parts), 0

    async def fetch(file: OpenFile, path: str, size: int, position: int) -> None:
        nonlocal done
        async with slots:
            content = await direct(path, size)
            if len(content) != size:
                raise errors.DamagedArchiveError(f"{path} has {size} bytes, but {len(content)} were received")
            await file.write(content, position)
        done += size
        progress(done, total)

    positions = [sum(size for _, size in parts[:number]) for number in range(len(parts))]
    with arriving(local) as file:
        await all_or_none(
            [
                fetch(file, path, size, position)
                for (path, size), position in zip(parts, positions, strict=True)
            ]
        )
