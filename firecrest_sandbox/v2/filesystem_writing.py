"""The modifying part of `filesystem/ops`: mkdir, symlink, chmod, chown, rm, upload, compress, extract."""

import asyncio

from fastapi import APIRouter, UploadFile

from firecrest_sandbox.errors import GatewayError, OperationTimeoutError
from firecrest_sandbox.filesystem.operations import Operations
from firecrest_sandbox.state import SystemServer
from firecrest_sandbox.v2.filesystem_models import (
    ChmodRequest,
    ChownRequest,
    CompressRequest,
    ExtractRequest,
    FileAnswer,
    MkdirRequest,
    SymlinkRequest,
)
from firecrest_sandbox.v2.filesystem_reading import PathQuery

router = APIRouter()


@router.post("/mkdir", status_code=201)
async def post_mkdir(request: MkdirRequest, server: SystemServer) -> FileAnswer:
    """Create a directory."""
    operations = Operations(server)
    path = await operations.make_directory(request.path, parents=request.parent)
    return FileAnswer(output=await operations.entry(path))


@router.post("/symlink", status_code=201)
async def post_symlink(request: SymlinkRequest, server: SystemServer) -> FileAnswer:
    """Create a symbolic link."""
    operations = Operations(server)
    link = await operations.make_link(request.path, request.link_path)
    return FileAnswer(output=await operations.entry(link))


@router.put("/chmod")
async def put_chmod(request: ChmodRequest, server: SystemServer) -> FileAnswer:
    """Change a file's mode."""
    operations = Operations(server)
    path, _ = await operations.change_mode(request.path, request.mode)
    return FileAnswer(output=await operations.entry(path))


@router.put("/chown")
async def put_chown(request: ChownRequest, server: SystemServer) -> FileAnswer:
    """Change a file's owner and group."""
    operations = Operations(server)
    path, _ = await operations.change_owner(request.path, request.owner, request.group)
    return FileAnswer(output=await operations.entry(path))


@router.delete("/rm", status_code=204)
async def delete_rm(path: PathQuery, server: SystemServer) -> None:
    """Remove a file, or a directory with its content."""
    await Operations(server).remove(path)


@router.post("/upload", status_code=204)
async def post_upload(path: PathQuery, file: UploadFile, server: SystemServer) -> None:
    """Write a small file into a directory."""
    operations = Operations(server)
    operations.path(f"{operations.path(path)}/{file.filename}")
    size = file.size or 0
    if size > server.config.max_ops_file_size:
        raise GatewayError(413, "File to upload is too large.")
    await operations.write(path, file.filename, file.file)
    if size == 0:
        # The real gateway never ends the command's input, and times out.
        await asyncio.sleep(server.config.operation_timeout)
        raise OperationTimeoutError


@router.post("/compress", status_code=204)
async def post_compress(request: CompressRequest, server: SystemServer) -> None:
    """Pack a file or directory, or matching files of its parent."""
    operations = Operations(server)
    command = await operations.packing(
        request.path,
        request.target_path,
        compression=request.compression,
        pattern=request.match_pattern,
        dereference=request.dereference,
    )
    await operations.run(*command)


@router.post("/extract", status_code=204)
async def post_extract(request: ExtractRequest, server: SystemServer) -> None:
    """Unpack an archive into an existing directory."""
    await Operations(server).unpack(request.path, request.target_path, request.compression)
