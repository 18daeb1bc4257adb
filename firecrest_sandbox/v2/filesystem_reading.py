"""The read-only part of `filesystem/ops`: ls, stat, head, tail, view, checksum, file, download."""

import asyncio
import os
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from firecrest_sandbox.errors import GatewayError, OperationTimeoutError
from firecrest_sandbox.filesystem.operations import Operations, head_or_tail
from firecrest_sandbox.state import SystemServer
from firecrest_sandbox.v2.filesystem_models import (
    Checksum,
    ChecksumAnswer,
    ContentAnswer,
    ContentUnit,
    FileContent,
    ListingAnswer,
    StatAnswer,
    TextAnswer,
)

router = APIRouter()

PathQuery = Annotated[str, Query(description="The path on the system")]
Flag = Annotated[bool, Query()]
Count = Annotated[int | None, Query()]

_DEFAULT_LINES = 10
_DEFAULT_VIEW = 5 * 1024 * 1024


@router.get("/ls")
async def get_ls(
    path: PathQuery,
    server: SystemServer,
    *,
    show_hidden: Annotated[bool, Query(alias="showHidden")] = False,
    numeric_uid: Annotated[bool, Query(alias="numericUid")] = False,
    recursive: Flag = False,
    dereference: Flag = False,
) -> ListingAnswer:
    """List a directory, or return the entry of one file."""
    files = await Operations(server).list(
        path, hidden=show_hidden, numeric=numeric_uid, recursive=recursive, dereference=dereference
    )
    return ListingAnswer(output=files)


@router.get("/stat")
async def get_stat(path: PathQuery, server: SystemServer, *, dereference: Flag = False) -> StatAnswer:
    """Return a file's inode."""
    return StatAnswer(output=await Operations(server).stat(path, dereference=dereference))


@router.get("/head")
async def get_head(
    path: PathQuery,
    server: SystemServer,
    *,
    size: Annotated[int | None, Query(alias="bytes")] = None,
    lines: Count = None,
    skip_trailing: Annotated[bool, Query(alias="skipTrailing")] = False,
) -> ContentAnswer:
    """Return the first lines or bytes, or all except the last."""
    _only_one(size, lines)
    operations = Operations(server)
    rest = "-" if skip_trailing else ""
    command = head_or_tail("head", operations.path(path), size=size, lines=lines, rest=rest)
    content = (await operations.run(*command)).text
    shown = _amount(size, lines)
    end = -shown if skip_trailing else shown
    return _content(content, size, start=0, end=end)


@router.get("/tail")
async def get_tail(
    path: PathQuery,
    server: SystemServer,
    *,
    size: Annotated[int | None, Query(alias="bytes")] = None,
    lines: Count = None,
    skip_heading: Annotated[bool, Query(alias="skipHeading")] = False,
) -> ContentAnswer:
    """Return the last lines or bytes, or all from a given one."""
    _only_one(size, lines)
    operations = Operations(server)
    rest = "+" if skip_heading else ""
    command = head_or_tail("tail", operations.path(path), size=size, lines=lines, rest=rest)
    content = (await operations.run(*command)).text
    shown = _amount(size, lines)
    # The real gateway omits the sign if neither bytes nor lines are given.
    start = shown if skip_heading or (size is None and lines is None) else -shown
    return _content(content, size, start=start, end=-1)


@router.get("/view")
async def get_view(
    path: PathQuery,
    server: SystemServer,
    *,
    size: Count = _DEFAULT_VIEW,
    offset: Count = 0,
) -> TextAnswer:
    """Return a part of a file as text. Bytes that are not UTF-8 become U+FFFD."""
    config = server.config
    length, start = size or 0, offset or 0
    if start < 0:
        raise GatewayError(400, "`offset` value must be an integer value equal or greater than 0")
    if length <= 0:
        raise GatewayError(400, "`size` value must be an integer value greater than 0")
    if length > config.max_ops_file_size:
        raise GatewayError(400, f"`size` value must be less than {config.max_ops_file_size} bytes")
    operations = Operations(server)
    target = operations.path(path)
    blocks, within = divmod(start, length)
    if await asyncio.to_thread(_stalls, target, 2 * length, blocks * length, config.buffer_limit):
        await asyncio.sleep(config.operation_timeout)
        raise OperationTimeoutError
    finished = await operations.run("dd", f"if={target}", f"bs={length}", f"skip={blocks}", "count=2")
    return TextAnswer(output=finished.text[within : within + length])


def _stalls(path: str, window: int, skipped: int, limit: int) -> bool:
    """Return whether the real gateway would time out while it reads dd's output (recorded: 408).

    It requests two blocks of the given size, and stops reading when its buffer is full.
    """
    try:
        available = os.stat(path).st_size - skipped  # noqa: PTH116
    except OSError:
        return False
    return min(available, window) > limit


@router.get("/checksum")
async def get_checksum(path: PathQuery, server: SystemServer) -> ChecksumAnswer:
    """Return the SHA-256 of a file."""
    checksum = await Operations(server).checksum(path)
    return ChecksumAnswer(output=Checksum(algorithm="SHA256", checksum=checksum))


@router.get("/file")
async def get_file(path: PathQuery, server: SystemServer) -> TextAnswer:
    """Return the type of a file."""
    return TextAnswer(output=await Operations(server).kind(path))


@router.get("/download", response_class=Response)
async def get_download(path: PathQuery, server: SystemServer) -> Response:
    """Return a small file, whose base64 encoding must fit the output limit."""
    return Response(await Operations(server).content(path), media_type="application/octet-stream")


def _only_one(size: int | None, lines: int | None) -> None:
    if size and lines:
        raise GatewayError(400, "Only one of `bytes` or `lines` can be specified.")


def _amount(size: int | None, lines: int | None) -> int:
    if lines is not None:
        return lines
    return _DEFAULT_LINES if size is None else size


def _content(content: str, size: int | None, *, start: int, end: int) -> ContentAnswer:
    unit = ContentUnit.BYTES if size else ContentUnit.LINES
    return ContentAnswer(
        output=FileContent(content=content, content_type=unit, start_position=start, end_position=end)
    )
