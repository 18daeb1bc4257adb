"""Whether files can be moved: into the base directory, and by way of the site's storage."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, red, skipped, yellow
from reframe_firecrest.commands.doctor.workspace import workspace
from reframe_firecrest.model.errors import RejectedError
from reframe_firecrest.model.units import format_size

FILE = "file"
SMALL = 4096
"""Bytes that take space on any file system, and so are refused where there is none left."""

BLOCK = 1 << 20
"""Random bytes at the beginning of a large file; the rest are zeros, made in no time."""


async def check_base_directory(context: CheckContext) -> Finding:
    """Write a small file, read it and remove it.

    FirecREST v2 has nothing that tells quotas, but one that is used up shows by a file that can't be written.
    """
    basedir = context.settings.basedir
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-") as local:
        sent, came = Path(local, "sent"), Path(local, "came")
        await asyncio.to_thread(_make, sent, SMALL)
        try:
            async with workspace(context.gateway, basedir) as place:
                there = await context.gateway.upload(sent, f"{place.path}/{FILE}")
                await context.gateway.download(there, came, size_hint=SMALL)
        except RejectedError as error:
            below = ", ".join(context.health.file_systems) or "not told"
            return red(str(error), f"set FIRECREST_BASEDIR to a directory of yours; file systems: {below}")
        if await asyncio.to_thread(_digest, sent) != await asyncio.to_thread(_digest, came):
            return red(f"a file in {place.parent} comes back with other content", "tell the site")
    if place.parent != basedir:
        return green(f"{basedir} is not there yet, but can be made: {place.parent} can be written")
    return green(f"{basedir} can be written; its quota is not told by FirecREST")


async def check_storage(context: CheckContext) -> Finding:
    """See whether the host of presigned URLs can be reached from here.

    It is the storage's public URL (``lib/datatransfers/s3/s3_datatransfer.py`` of FirecREST v2.5). Presigned
    URLs themselves come only with a job that is queued with them.
    """
    storage = context.health.storage
    if storage is None or (storage.url is None and storage.kind == "s3"):
        return skipped("the gateway does not tell where its storage is; --transfer finds out")
    if storage.kind != "s3" or storage.url is None:
        return yellow(
            f"the gateway moves large files by {storage.kind!r}, which is not supported here",
            f"keep what a test sends and fetches below {format_size(context.max_direct)}, "
            "or ask the site for S3",
        )
    status = await context.gateway.reach(storage.url)
    if status >= 500:
        return yellow(f"{storage.url} answers HTTP {status}", "tell the site; large files may not be moved")
    return green(f"{storage.url} can be reached; --transfer tries a file")


async def check_transfer(context: CheckContext) -> Finding:
    """Move a file just above the limit of a direct upload there and back."""
    size = context.max_direct + 1
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-") as local:
        sent, came = Path(local, "sent"), Path(local, "came")
        await asyncio.to_thread(_make, sent, size)
        try:
            async with workspace(context.gateway, context.settings.basedir) as place:
                sending = context.gateway.upload(sent, f"{place.path}/{FILE}")
                there = await asyncio.wait_for(sending, context.timeout)
                # The limit of a direct download is another one, and not told; none is as large as this.
                hint = max(size, 1 << 40)
                await asyncio.wait_for(context.gateway.download(there, came, size_hint=hint), context.timeout)
        except asyncio.TimeoutError:
            return yellow(
                f"{format_size(size)} were not moved within {context.timeout:.0f} s",
                "give transfer jobs more time in the queue with --timeout",
            )
        if await asyncio.to_thread(_digest, sent) != await asyncio.to_thread(_digest, came):
            return red(f"{format_size(size)} by S3 come back with other content", "tell the site")
    return green(f"{format_size(size)} moved by S3, there and back")


def _make(path: Path, size: int) -> None:
    path.write_bytes(os.urandom(min(size, BLOCK)))
    os.truncate(path, size)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(BLOCK):
            digest.update(block)
        return digest.digest()
