"""Files through a gateway at once where it takes them, and by its storage where not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from reframe_firecrest.gateway.object_storage.local_file import arriving
from reframe_firecrest.model import errors

TOO_LARGE_FOR_DIRECT = (errors.TooLargeError, errors.OperationTimeoutError)
"""A proxy's limit can be lower than the gateway's, and a slow file system takes more than 5 s."""


async def upload(
    local: Path,
    at_most: int,
    direct: Callable[[bytes], Awaitable[str]],
    via_storage: Callable[[], Awaitable[str]],
) -> str:
    """Bring a local file there; return its remote path.

    Args:
        local: the file.
        at_most: bytes that it may have to be tried at once.
        direct: sends its content; returns where it is then.
        via_storage: sends it the long way; returns the same. It must be another path: what was cut off may
            still be writing.

    Raises:
        GatewayError: it did not arrive.
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
    """Bring a remote file here.

    Args:
        local: where it appears when all of it is here.
        size_hint: about how many bytes it has.
        at_most: bytes that it may seem to have to be tried at once.
        direct: returns its content.
        via_storage: brings it the long way.

    Raises:
        GatewayError: it did not come.
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
