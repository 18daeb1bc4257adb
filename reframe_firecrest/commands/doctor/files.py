"""Checks of file transfers: into the base directory, and by the site's object storage."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, red, skipped, yellow
from reframe_firecrest.commands.doctor.workspace import workspace
from reframe_firecrest.model.capabilities import TransferMethod
from reframe_firecrest.model.errors import RejectedError
from reframe_firecrest.model.limitations import missing_storage
from reframe_firecrest.model.units import format_duration, format_size

FILE = "file"
SMALL = 4096
"""Bytes that occupy a block on any file system, so that writing them fails if the quota is used up."""

BLOCK = 1 << 20
"""Random bytes at the beginning of a large file; the rest is a hole of zeros."""


async def check_base_directory(context: CheckContext) -> Finding:
    """Write a small file, read it and remove it.

    FirecREST v2 does not report quotas, but writing a file fails if the quota is used up.
    """
    basedir = context.settings.basedir
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-") as local:
        sent, received = Path(local, "sent"), Path(local, "received")
        await asyncio.to_thread(_make, sent, SMALL)
        try:
            async with workspace(context.gateway, basedir) as directory:
                remote = await context.gateway.upload(sent, f"{directory.path}/{FILE}")
                await context.gateway.download(remote, received, size_hint=SMALL)
        except RejectedError as error:
            file_systems = ", ".join(context.health.file_systems) or "not reported"
            return red(
                str(error), f"set FIRECREST_BASEDIR to a directory of yours; file systems: {file_systems}"
            )
        if await asyncio.to_thread(_digest, sent) != await asyncio.to_thread(_digest, received):
            return red(
                f"a file in {directory.parent} has different content when it is read back", "tell the site"
            )
    if directory.parent != basedir:
        return green(f"{basedir} does not exist yet, but can be created: {directory.parent} is writable")
    return green(f"{basedir} is writable; FirecREST does not report quotas")


async def check_storage(context: CheckContext) -> Finding:
    """Check that the host of presigned URLs can be reached from here.

    That is the storage's public URL (``lib/datatransfers/s3/s3_datatransfer.py`` of FirecREST v2.5). The
    gateway issues presigned URLs only together with a transfer job.
    """
    if limitation := missing_storage(context.capabilities, context.settings.direct_upload_max):
        return yellow(limitation.problem, limitation.remedy)
    url = context.capabilities.storage_url
    if url is None:
        return skipped("the gateway does not report its storage; --transfer checks it")
    status = await context.gateway.reach(url)
    if status >= 500:
        return yellow(f"{url} answers HTTP {status}", "tell the site; transfers of large files may fail")
    return green(f"{url} can be reached; --transfer transfers a file")


async def check_transfer(context: CheckContext) -> Finding:
    """Transfer a file just above the limit of direct uploads in both directions."""
    if context.capabilities.transfer is not TransferMethod.S3:
        return skipped("the gateway has no S3")
    size = context.capabilities.max_direct_upload + 1
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-") as local:
        sent, received = Path(local, "sent"), Path(local, "received")
        await asyncio.to_thread(_make, sent, size)
        try:
            async with workspace(context.gateway, context.settings.basedir) as directory:
                upload = context.gateway.upload(sent, f"{directory.path}/{FILE}")
                remote = await asyncio.wait_for(upload, context.timeout)
                # Direct downloads have another limit, which is not reported; none is as large as this.
                hint = max(size, 1 << 40)
                await asyncio.wait_for(
                    context.gateway.download(remote, received, size_hint=hint), context.timeout
                )
        except asyncio.TimeoutError:
            return yellow(
                f"{format_size(size)} were not transferred within {format_duration(context.timeout)}",
                "allow transfer jobs more time in the queue with --timeout",
            )
        if await asyncio.to_thread(_digest, sent) != await asyncio.to_thread(_digest, received):
            return red(
                f"{format_size(size)} sent by S3 have different content when they are read back",
                "tell the site",
            )
    return green(f"{format_size(size)} transferred by S3 in both directions")


def _make(path: Path, size: int) -> None:
    path.write_bytes(os.urandom(min(size, BLOCK)))
    os.truncate(path, size)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(BLOCK):
            digest.update(block)
        return digest.digest()
