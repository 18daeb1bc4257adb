"""Operations that change something: mkdir, symlink, chmod, rm, upload, compress, extract."""

import asyncio
import shutil
from pathlib import Path
from typing import BinaryIO

from fastapi import APIRouter, UploadFile

from reframe_firecrest.sandbox.errors import CommandError, GatewayError, OperationTimeoutError
from reframe_firecrest.sandbox.filesystem.archives import (
    pack_command,
    pack_matching_command,
)
from reframe_firecrest.sandbox.filesystem.extraction import (
    ExtractionError,
    OutOfTimeError,
    extract,
)
from reframe_firecrest.sandbox.filesystem.models import (
    ChmodRequest,
    ChownRequest,
    CompressRequest,
    ExtractRequest,
    FileAnswer,
    MkdirRequest,
    SymlinkRequest,
)
from reframe_firecrest.sandbox.filesystem.operations import Operations
from reframe_firecrest.sandbox.filesystem.reading import PathQuery
from reframe_firecrest.sandbox.gateway import SystemGateway

router = APIRouter()


@router.post("/mkdir", status_code=201)
async def post_mkdir(request: MkdirRequest, gateway: SystemGateway) -> FileAnswer:
    """Make a directory."""
    operations = Operations(gateway)
    path = operations.path(request.path)
    parents = ["-p"] if request.parent else []
    await operations.run("mkdir", *parents, "--", path)
    return FileAnswer(output=await operations.entry(path))


@router.post("/symlink", status_code=201)
async def post_symlink(request: SymlinkRequest, gateway: SystemGateway) -> FileAnswer:
    """Make a symbolic link."""
    operations = Operations(gateway)
    target = operations.path(request.path)
    link = operations.path(request.link_path, follow=False)
    if await asyncio.to_thread(Path(link).is_dir):
        # There `ln` makes the link inside it.
        operations.path(link)
    await operations.run("ln", "-s", "--", target, link)
    return FileAnswer(output=await operations.entry(link))


@router.put("/chmod")
async def put_chmod(request: ChmodRequest, gateway: SystemGateway) -> FileAnswer:
    """Change a file's mode."""
    operations = Operations(gateway)
    path = operations.path(request.path)
    await operations.run("chmod", "--", request.mode, path)
    return FileAnswer(output=await operations.entry(path))


@router.put("/chown")
async def put_chown(request: ChownRequest, gateway: SystemGateway) -> FileAnswer:
    """Change a file's owner and group."""
    operations = Operations(gateway)
    path = operations.path(request.path)
    await operations.run("chown", "--", f"{request.owner}:{request.group}", path)
    return FileAnswer(output=await operations.entry(path))


@router.delete("/rm", status_code=204)
async def delete_rm(path: PathQuery, gateway: SystemGateway) -> None:
    """Remove a file, or a directory with all that is in it."""
    operations = Operations(gateway)
    target = operations.removable(path)
    await operations.run("rm", "-r", "--interactive=never", "--", target)


@router.post("/upload", status_code=204)
async def post_upload(path: PathQuery, file: UploadFile, gateway: SystemGateway) -> None:
    """Write a small file into a directory."""
    operations = Operations(gateway)
    target = operations.path(f"{operations.path(path)}/{file.filename}")
    size = file.size or 0
    if size > gateway.config.max_ops_file_size:
        raise GatewayError(413, "File to upload is too large.")
    await asyncio.to_thread(_write, file.file, target)
    if size == 0:
        # The real gateway waits for an end of input that it never sends.
        await asyncio.sleep(gateway.config.operation_timeout)
        raise OperationTimeoutError


def _write(source: BinaryIO, target: str) -> None:
    try:
        with Path(target).open("wb") as file:
            shutil.copyfileobj(source, file)
    except OSError as error:
        raise CommandError(1, f"bash: line 1: {target}: {error.strerror}") from None


@router.post("/compress", status_code=204)
async def post_compress(request: CompressRequest, gateway: SystemGateway) -> None:
    """Pack a file or directory, or the files beside it that match a pattern."""
    operations = Operations(gateway)
    source = operations.path(request.path, follow=request.dereference)
    target = operations.path(request.target_path)
    if request.dereference:
        await operations.refuse_links_out(source)
    if request.match_pattern:
        operations.path(str(Path(source).parent))
        command = pack_matching_command(
            source, target, pattern=request.match_pattern, dereference=request.dereference
        )
    else:
        command = pack_command(
            source, target, compression=request.compression, dereference=request.dereference
        )
    await operations.run(*command)


@router.post("/extract", status_code=204)
async def post_extract(request: ExtractRequest, gateway: SystemGateway) -> None:
    """Unpack an archive below a directory that exists."""
    operations = Operations(gateway)
    source, target = operations.path(request.path), operations.path(request.target_path)
    try:
        await asyncio.to_thread(
            extract,
            Path(source),
            Path(target),
            mode=request.compression.read_mode,
            root=gateway.root,
            seconds=gateway.config.operation_timeout,
        )
    except ExtractionError as error:
        raise CommandError(2, f"tar: {error}\ntar: Error is not recoverable: exiting now") from None
    except OutOfTimeError:
        raise OperationTimeoutError from None
