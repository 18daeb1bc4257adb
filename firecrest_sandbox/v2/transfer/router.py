"""Routes of transfers. Each submits a job, and returns its id and its log files."""

import uuid
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query

from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.filesystem.operations import Operations
from firecrest_sandbox.object_storage import PRIVATE_PREFIX, PUBLIC_PREFIX
from firecrest_sandbox.records import JobDescription
from firecrest_sandbox.state import ServerState, SystemServer
from firecrest_sandbox.v2.filesystem_reading import PathQuery
from firecrest_sandbox.v2.transfer.models import (
    CompressRequest,
    CopyRequest,
    DataTransferAnswer,
    DownloadRequest,
    ExtractRequest,
    MoveRequest,
    S3Directives,
    TransferAnswer,
    TransferJob,
    TransferJobLogs,
    UploadRequest,
)
from firecrest_sandbox.v2.transfer.scripts import command_script, worker_script

router = APIRouter()


@router.post("/upload", status_code=201, response_model_exclude_none=True)
async def post_upload(request: UploadRequest, server: SystemServer) -> DataTransferAnswer:
    """Return URLs for the parts of a file, and submit the job that writes the file."""
    path = Operations(server).path(request.path)
    size = request.transfer_directives.file_size
    if size is None:
        raise GatewayError(400, "file_size is required to upload by the s3 method.")
    key = _new_key(server, path)
    upload_id = server.store.new_upload()
    public, private = server.url + PUBLIC_PREFIX, server.url + PRIVATE_PREFIX
    orders = {
        "direction": "ingress",
        "path": path,
        "url": server.store.presigner.presign("GET", private, key),
        "poll": server.config.transfer_poll,
    }
    job = await _queue(server, "IngressFileTransfer", worker_script(orders), request.account)
    directives = S3Directives(
        parts_upload_urls=_part_urls(server, public, key, upload_id, size),
        complete_upload_url=server.store.presigner.presign("POST", public, key, uploadId=upload_id),
        max_part_size=server.config.max_part_size,
    )
    return DataTransferAnswer(transfer_job=job, transfer_directives=directives)


@router.post("/download", status_code=201, response_model_exclude_none=True)
async def post_download(request: DownloadRequest, server: SystemServer) -> DataTransferAnswer:
    """Submit the job that uploads a file to the object storage, and return its URL there."""
    operations = Operations(server)
    path, size = operations.path(request.path), await operations.size(request.path)
    key = _new_key(server, path)
    upload_id = server.store.new_upload()
    private = server.url + PRIVATE_PREFIX
    orders = {
        "direction": "egress",
        "path": path,
        "part_size": server.config.max_part_size,
        "part_urls": _part_urls(server, private, key, upload_id, size),
        "complete_url": server.store.presigner.presign("POST", private, key, uploadId=upload_id),
    }
    job = await _queue(server, "OutgressFileTransfer", worker_script(orders), request.account)
    url = server.store.presigner.presign("GET", server.url + PUBLIC_PREFIX, key)
    return DataTransferAnswer(transfer_job=job, transfer_directives=S3Directives(download_url=url))


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


def _new_key(server: ServerState, path: str) -> str:
    # Quoted, because the path of a route matches no newline.
    return f"{server.user.name}/{uuid.uuid4()}/{quote(Path(path).name)}"


def _part_urls(server: ServerState, prefix: str, key: str, upload_id: str, size: int) -> list[str]:
    count = ceil(size / server.config.max_part_size)
    return [
        server.store.presigner.presign("PUT", prefix, key, uploadId=upload_id, partNumber=str(number))
        for number in range(1, count + 1)
    ]


async def _queue_command(
    server: ServerState, verb: str, done: str, command: Sequence[str], account: str | None
) -> TransferAnswer:
    script = command_script(f"{verb} Files", done, command)
    return TransferAnswer(transfer_job=await _queue(server, f"{verb}Files", script, account))


async def _queue(server: ServerState, name: str, script: str, account: str | None) -> TransferJob:
    unique = uuid.uuid4()
    logs = TransferJobLogs(
        output_log=f"{server.home}/.f7t_file_handling_job_{unique}.log",
        error_log=f"{server.home}/.f7t_file_handling_job_error_{unique}.log",
    )
    description = JobDescription(
        name=name,
        account=account,
        working_directory=str(server.home),
        standard_input="/dev/null",
        standard_output=logs.output_log,
        standard_error=logs.error_log,
        env={"PATH": "/bin:/usr/bin/:/usr/local/bin/"},
        script=script,
    )
    receipt = await server.runner.submit(description)
    return TransferJob(
        job_id=receipt.job_id,
        system=server.config.system,
        working_directory=str(server.home),
        logs=logs,
    )
