"""Whether files can be moved: into the base directory, and by way of the site's storage."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path

from reframe_firecrest.diagnosis.case import Case
from reframe_firecrest.diagnosis.findings import Finding, green, red, skipped, yellow
from reframe_firecrest.diagnosis.workspace import workspace
from reframe_firecrest.errors import RejectedError
from reframe_firecrest.session.times import in_units

FILE = "file"
SMALL = 4096
"""Bytes that take space on any file system, and so are refused where there is none left."""

BLOCK = 1 << 20
"""Random bytes at the beginning of a large file; the rest are zeros, made in no time."""


async def check_base_directory(case: Case) -> Finding:
    """Write a small file, read it and remove it.

    FirecREST v2 has nothing that tells quotas, but one that is used up shows by a file that can't be written.
    """
    basedir = case.settings.basedir
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-") as local:
        sent, came = Path(local, "sent"), Path(local, "came")
        await asyncio.to_thread(_make, sent, SMALL)
        try:
            async with workspace(case.gateway, basedir) as place:
                there = await case.gateway.upload(sent, f"{place.path}/{FILE}")
                await case.gateway.download(there, came, size_hint=SMALL)
        except RejectedError as error:
            below = ", ".join(case.health.file_systems) or "not told"
            return red(str(error), f"set FIRECREST_BASEDIR to a directory of yours; file systems: {below}")
        if await asyncio.to_thread(_digest, sent) != await asyncio.to_thread(_digest, came):
            return red(f"a file in {place.parent} comes back with other content", "tell the site")
    if place.parent != basedir:
        return green(f"{basedir} is not there yet, but can be made: {place.parent} can be written")
    return green(f"{basedir} can be written; its quota is not told by FirecREST")


async def check_storage(case: Case) -> Finding:
    """See whether the host of presigned URLs can be reached from here.

    It is the storage's public URL (``lib/datatransfers/s3/s3_datatransfer.py`` of FirecREST v2.5). Presigned
    URLs themselves come only with a job that is queued with them.
    """
    storage = case.health.storage
    if storage is None or (storage.url is None and storage.kind == "s3"):
        return skipped("the gateway does not tell where its storage is; --transfer finds out")
    if storage.kind != "s3" or storage.url is None:
        return yellow(
            f"the gateway moves large files by {storage.kind!r}, which is not supported here",
            f"keep what a test sends and fetches below {in_units(case.max_direct)}, or ask the site for S3",
        )
    status = await case.gateway.reach(storage.url)
    if status >= 500:
        return yellow(f"{storage.url} answers HTTP {status}", "tell the site; large files may not be moved")
    return green(f"{storage.url} can be reached; --transfer tries a file")


async def check_transfer(case: Case) -> Finding:
    """Move a file just above the limit of a direct upload there and back."""
    size = case.max_direct + 1
    with tempfile.TemporaryDirectory(prefix="reframe-firecrest-") as local:
        sent, came = Path(local, "sent"), Path(local, "came")
        await asyncio.to_thread(_make, sent, size)
        try:
            async with workspace(case.gateway, case.settings.basedir) as place:
                sending = case.gateway.upload(sent, f"{place.path}/{FILE}")
                there = await asyncio.wait_for(sending, case.timeout)
                # The limit of a direct download is another one, and not told; none is as large as this.
                hint = max(size, 1 << 40)
                await asyncio.wait_for(case.gateway.download(there, came, size_hint=hint), case.timeout)
        except asyncio.TimeoutError:
            return yellow(
                f"{in_units(size)} were not moved within {case.timeout:.0f} s",
                "give transfer jobs more time in the queue with --timeout",
            )
        if await asyncio.to_thread(_digest, sent) != await asyncio.to_thread(_digest, came):
            return red(f"{in_units(size)} by S3 come back with other content", "tell the site")
    return green(f"{in_units(size)} moved by S3, there and back")


def _make(path: Path, size: int) -> None:
    path.write_bytes(os.urandom(min(size, BLOCK)))
    os.truncate(path, size)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(BLOCK):
            digest.update(block)
        return digest.digest()
