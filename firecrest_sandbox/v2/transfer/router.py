"""Routes of transfers. Each submits a job, and returns its id and its log files."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from firecrest_sandbox.errors import UnhandledError
from firecrest_sandbox.filesystem.operations import Operations
from firecrest_sandbox.state import ServerState, SystemServer
from firecrest_sandbox.v2.filesystem_reading import PathQuery
from firecrest_sandbox.v2.transfer import methods
from firecrest_sandbox.v2.transfer.jobs import header, queue
from firecrest_sandbox.v2.transfer.models import (
    CompressRequest,
    CopyRequest,
    DataTransferAnswer,
    DownloadRequest,
    ExtractRequest,
    MoveRequest,
    TransferAnswer,
    UploadRequest,
)
from firecrest_sandbox.v2.transfer.scripts import command_script

router = APIRouter()


def _require_service(server: SystemServer) -> None:
    """Fail as the real gateway does where the site has no service for large files (recorded)."""
    if server.config.transfers == "none":
        raise UnhandledError("'NoneType' object has no attribute 'service_type'")


@router.post(
    "/upload", status_code=201, response_model_exclude_none=True, dependencies=[Depends(_require_service)]
)
async def post_upload(request: UploadRequest, server: SystemServer) -> DataTransferAnswer:
    """Submit the job that writes a file, and return where its content is expected."""
    return await methods.upload(server, request)


@router.post(
    "/download", status_code=201, response_model_exclude_none=True, dependencies=[Depends(_require_service)]
)
async def post_download(request: DownloadRequest, server: SystemServer) -> DataTransferAnswer:
    """Submit the job that sends a file, and return where its content will be."""
    return await methods.download(server, request)


@router.post("/mv", status_code=201)
async def post_mv(request: MoveRequest, server: SystemServer) -> TransferAnswer:
    """Submit a job that moves a file or directory."""
    command = Operations(server).moving(request.path, request.target_path)
    return await _queue_command(server, "Move", "moved", command, request.account)


@router.post("/cp", status_code=201)
async def post_cp(request: CopyRequest, server: SystemServer) -> TransferAnswer:
    """Submit a job that copies a file or directory."""
    command = await Operations(server).copying(
        request.path, request.target_path, dereference=request.dereference
    )
    return await _queue_command(server, "Copy", "copied", command, request.account)


@router.delete("/rm")
async def delete_rm(
    path: PathQuery, server: SystemServer, account: Annotated[str | None, Query()] = None
) -> TransferAnswer:
    """Submit a job that removes a file or directory."""
    target = Operations(server).removable(path)
    return await _queue_command(server, "Delete", "deleted", ["rm", "-R", "--", target], account)


@router.post("/compress", status_code=201)
async def post_compress(request: CompressRequest, server: SystemServer) -> TransferAnswer:
    """Submit a job that creates an archive."""
    command = await Operations(server).packing(
        request.path,
        request.target_path,
        compression=request.compression,
        pattern=request.match_pattern,
        dereference=request.dereference,
    )
    return await _queue_command(server, "Compress", "compressed", command, request.account)


@router.post("/extract", status_code=201)
async def post_extract(request: ExtractRequest, server: SystemServer) -> TransferAnswer:
    """Submit a job that unpacks an archive."""
    command = Operations(server).unpacking(request.path, request.target_path, request.compression)
    return await _queue_command(server, "Extract", "extracted", command, request.account)


async def _queue_command(
    server: ServerState, verb: str, done: str, command: Sequence[str], account: str | None
) -> TransferAnswer:
    script = command_script(header(server, account), f"{verb} Files", done, command)
    return TransferAnswer(transfer_job=await queue(server, f"{verb}Files", script))
