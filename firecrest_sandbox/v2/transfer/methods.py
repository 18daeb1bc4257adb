"""The methods for large files: object storage, streamer and wormhole. Each submits a job."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import uuid
from math import ceil
from pathlib import Path
from urllib.parse import quote

from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.filesystem.operations import Operations
from firecrest_sandbox.object_storage import PRIVATE_PREFIX, PUBLIC_PREFIX
from firecrest_sandbox.state import ServerState
from firecrest_sandbox.v2.systems import STREAMER_PORTS
from firecrest_sandbox.v2.transfer.jobs import header, queue
from firecrest_sandbox.v2.transfer.models import (
    DataTransferAnswer,
    DownloadRequest,
    S3Directives,
    S3Request,
    StreamerDirectives,
    StreamerRequest,
    UploadRequest,
    WormholeDirectives,
)
from firecrest_sandbox.v2.transfer.scripts import waiting_script, worker_script

_INGRESS, _EGRESS = "IngressFileTransfer", "OutgressFileTransfer"
_WORDS = ("comet", "nebula", "orbit", "pulsar", "station", "vega")


async def upload(server: ServerState, request: UploadRequest) -> DataTransferAnswer:
    """Submit the job that writes a file, and return where its content is expected."""
    _require_method(server, request)
    directives = request.transfer_directives
    if isinstance(directives, S3Request):
        return await _upload_to_storage(server, request, directives)
    start = header(server, request.account)
    path = Operations(server).path(request.path)
    if not isinstance(directives, StreamerRequest):
        job = await queue(server, _INGRESS, waiting_script(start, "Ingress File Transfer"))
        return DataTransferAnswer(transfer_job=job, transfer_directives=WormholeDirectives())
    if await asyncio.to_thread(Path(path).exists):
        raise GatewayError(403, f"Target file '{request.path}' already exists.")
    return await _stream(server, _INGRESS, start)


async def download(server: ServerState, request: DownloadRequest) -> DataTransferAnswer:
    """Submit the job that sends a file, and return where its content will be."""
    _require_method(server, request)
    directives = request.transfer_directives
    if isinstance(directives, S3Request):
        return await _download_from_storage(server, request)
    start = header(server, request.account)
    if isinstance(directives, StreamerRequest):
        await Operations(server).size(request.path)
        return await _stream(server, _EGRESS, start)
    job = await queue(server, _EGRESS, waiting_script(start, "Outgress File Transfer"))
    code = "-".join([str(secrets.randbelow(98) + 1), *(secrets.choice(_WORDS) for _ in range(3))])
    return DataTransferAnswer(transfer_job=job, transfer_directives=WormholeDirectives(wormhole_code=code))


def _require_method(server: ServerState, request: UploadRequest | DownloadRequest) -> None:
    if request.transfer_directives.transfer_method.value != server.config.transfers:
        raise GatewayError(400, "Requested transfer method is not available.")


async def _stream(server: ServerState, name: str, start: str) -> DataTransferAnswer:
    job = await queue(server, name, waiting_script(start, "Ingress/Outgress File Transfer"))
    coordinates = {
        "ports": list(STREAMER_PORTS),
        "ips": [server.config.host],
        "secret": secrets.token_urlsafe(16),
    }
    encoded = base64.urlsafe_b64encode(json.dumps(coordinates).encode()).decode()
    return DataTransferAnswer(transfer_job=job, transfer_directives=StreamerDirectives(coordinates=encoded))


async def _upload_to_storage(
    server: ServerState, request: UploadRequest, directives: S3Request
) -> DataTransferAnswer:
    path = Operations(server).path(request.path)
    size = directives.file_size
    if size is None:
        raise GatewayError(400, "file_size is required to upload by the s3 method.")
    start = header(server, request.account)
    key = _new_key(server, path)
    upload_id = server.store.new_upload()
    public, private = server.url + PUBLIC_PREFIX, server.url + PRIVATE_PREFIX
    orders = {
        "direction": "ingress",
        "path": path,
        "url": server.store.presigner.presign("GET", private, key),
        "poll": server.config.transfer_poll,
    }
    job = await queue(server, _INGRESS, worker_script(start, orders))
    urls = S3Directives(
        parts_upload_urls=_part_urls(server, public, key, upload_id, size),
        complete_upload_url=server.store.presigner.presign("POST", public, key, uploadId=upload_id),
        max_part_size=server.config.max_part_size,
    )
    return DataTransferAnswer(transfer_job=job, transfer_directives=urls)


async def _download_from_storage(server: ServerState, request: DownloadRequest) -> DataTransferAnswer:
    operations = Operations(server)
    path, size = operations.path(request.path), await operations.size(request.path)
    start = header(server, request.account)
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
    job = await queue(server, _EGRESS, worker_script(start, orders))
    url = server.store.presigner.presign("GET", server.url + PUBLIC_PREFIX, key)
    return DataTransferAnswer(transfer_job=job, transfer_directives=S3Directives(download_url=url))


def _new_key(server: ServerState, path: str) -> str:
    # Quoted, because the path of a route matches no newline.
    return f"{server.user.name}/{uuid.uuid4()}/{quote(Path(path).name)}"


def _part_urls(server: ServerState, prefix: str, key: str, upload_id: str, size: int) -> list[str]:
    count = ceil(size / server.config.max_part_size)
    return [
        server.store.presigner.presign("PUT", prefix, key, uploadId=upload_id, partNumber=str(number))
        for number in range(1, count + 1)
    ]
