"""Transfer of files, directly through the gateway if it accepts them, otherwise through its storage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from reframe_firecrest.gateway.object_storage.local_file import arriving
from reframe_firecrest.model import errors

TOO_LARGE_FOR_DIRECT = (errors.TooLargeError, errors.OperationTimeoutError)
"""Errors after which the storage is used: a proxy's limit, or a file system that takes more than 5 s."""


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
