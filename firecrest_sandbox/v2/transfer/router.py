"""Routes of the transfers: each queues a job and tells where to follow it."""

import uuid
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query

from firecrest_sandbox import object_storage
from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.filesystem.operations import Operations
from firecrest_sandbox.gateway import Gateway, SystemGateway
from firecrest_sandbox.records import JobDescription
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
async def post_upload(request: UploadRequest, gateway: SystemGateway) -> DataTransferAnswer:
    """Offer URLs for the parts of a file, and queue the job that will write it."""
    path = Operations(gateway).path(request.path)
    size = request.transfer_directives.file_size
    if size is None:
        raise GatewayError(400, "file_size is required to upload by the s3 method.")
    key = _new_key(gateway, path)
    upload_id = gateway.store.new_upload()
    public, private = gateway.url + object_storage.PUBLIC_PREFIX, gateway.url + object_storage.PRIVATE_PREFIX
    orders = {
        "what": "ingress",
        "path": path,
        "url": gateway.store.presign("GET", private, key),
        "poll": gateway.config.transfer_poll,
    }
    job = await _queue(gateway, "IngressFileTransfer", worker_script(orders), request.account)
    directives = S3Directives(
        parts_upload_urls=_part_urls(gateway, public, key, upload_id, size),
        complete_upload_url=gateway.store.presign("POST", public, key, uploadId=upload_id),
        max_part_size=gateway.config.max_part_size,
    )
    return DataTransferAnswer(transfer_job=job, transfer_directives=directives)


@router.post("/download", status_code=201, response_model_exclude_none=True)
async def post_download(request: DownloadRequest, gateway: SystemGateway) -> DataTransferAnswer:
    """Queue the job that will put a file into the storage, and tell where it will be."""
    operations = Operations(gateway)
    path, size = operations.path(request.path), await operations.size(request.path)
    key = _new_key(gateway, path)
    upload_id = gateway.store.new_upload()
    private = gateway.url + object_storage.PRIVATE_PREFIX
    orders = {
        "what": "egress",
        "path": path,
        "part_size": gateway.config.max_part_size,
        "part_urls": _part_urls(gateway, private, key, upload_id, size),
        "complete_url": gateway.store.presign("POST", private, key, uploadId=upload_id),
    }
    job = await _queue(gateway, "OutgressFileTransfer", worker_script(orders), request.account)
    url = gateway.store.presign("GET", gateway.url + object_storage.PUBLIC_PREFIX, key)
    return DataTransferAnswer(transfer_job=job, transfer_directives=S3Directives(download_url=url))


@router.post("/mv", status_code=201)
async def post_mv(request: MoveRequest, gateway: SystemGateway) -> TransferAnswer:
    """Queue a job that moves a file or directory."""
    command = Operations(gateway).moving(request.path, request.target_path)
    return await _queue_command(gateway, "Move", "moved", command, request.account)


@router.post("/cp", status_code=201)
async def post_cp(request: CopyRequest, gateway: SystemGateway) -> TransferAnswer:
    """Queue a job that copies a file or directory."""
    command = await Operations(gateway).copying(
        request.path, request.target_path, dereference=request.dereference
    )
    return await _queue_command(gateway, "Copy", "copied", command, request.account)


@router.delete("/rm")
async def delete_rm(
    path: PathQuery, gateway: SystemGateway, account: Annotated[str | None, Query()] = None
) -> TransferAnswer:
    """Queue a job that removes a file or directory."""
    target = Operations(gateway).removable(path)
    return await _queue_command(gateway, "Delete", "deleted", ["rm", "-R", "--", target], account)


@router.post("/compress", status_code=201)
async def post_compress(request: CompressRequest, gateway: SystemGateway) -> TransferAnswer:
    """Queue a job that makes an archive."""
    command = await Operations(gateway).packing(
        request.path,
        request.target_path,
        compression=request.compression,
        pattern=request.match_pattern,
        dereference=request.dereference,
    )
    return await _queue_command(gateway, "Compress", "compressed", command, request.account)


@router.post("/extract", status_code=201)
async def post_extract(request: ExtractRequest, gateway: SystemGateway) -> TransferAnswer:
    """Queue a job that unpacks an archive."""
    command = Operations(gateway).unpacking(request.path, request.target_path, request.compression)
    return await _queue_command(gateway, "Extract", "extracted", command, request.account)


def _new_key(gateway: Gateway, path: str) -> str:
    # A route's path matches no newline, so the key has none.
    return f"{gateway.user.name}/{uuid.uuid4()}/{quote(Path(path).name)}"


def _part_urls(gateway: Gateway, prefix: str, key: str, upload_id: str, size: int) -> list[str]:
    count = ceil(size / gateway.config.max_part_size)
    return [
        gateway.store.presign("PUT", prefix, key, uploadId=upload_id, partNumber=str(number))
        for number in range(1, count + 1)
    ]


async def _queue_command(
    gateway: Gateway, verb: str, done: str, command: Sequence[str], account: str | None
) -> TransferAnswer:
    script = command_script(f"{verb} Files", done, command)
    return TransferAnswer(transfer_job=await _queue(gateway, f"{verb}Files", script, account))


async def _queue(gateway: Gateway, name: str, script: str, account: str | None) -> TransferJob:
    unique = uuid.uuid4()
    logs = TransferJobLogs(
        output_log=f"{gateway.home}/.f7t_file_handling_job_{unique}.log",
        error_log=f"{gateway.home}/.f7t_file_handling_job_error_{unique}.log",
    )
    description = JobDescription(
        name=name,
        account=account,
        working_directory=str(gateway.home),
        standard_input="/dev/null",
        standard_output=logs.output_log,
        standard_error=logs.error_log,
        env={"PATH": "/bin:/usr/bin/:/usr/local/bin/"},
        script=script,
    )
    receipt = await gateway.runner.submit(description)
    return TransferJob(
        job_id=receipt.job_id,
        system=gateway.config.system,
        working_directory=str(gateway.home),
        logs=logs,
    )
