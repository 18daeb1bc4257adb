"""Requests and answers of transfers."""

from enum import Enum
from typing import Literal

from pydantic import Field

from firecrest_sandbox.filesystem.archives import Compression
from firecrest_sandbox.v2.filesystem_models import SourceRequest
from firecrest_sandbox.v2.models import CamelModel


class DataTransferType(str, Enum):
    """Transfer methods for large files; a site has at most one of them.

    Validation errors contain these names, so they are those of the real gateway.
    """

    s3 = "s3"
    wormhole = "wormhole"
    streamer = "streamer"


class S3Request(CamelModel):
    """A transfer through the object storage; an upload needs the file's size."""

    file_size: int | None = Field(default=None, description="in bytes")
    transfer_method: Literal[DataTransferType.s3]


class StreamerRequest(CamelModel):
    """A transfer through a streamer's job."""

    transfer_method: Literal[DataTransferType.streamer]


class WormholeRequest(CamelModel):
    """A transfer through a wormhole; the answer to a download contains its code."""

    transfer_method: Literal[DataTransferType.wormhole]


class WormholeUploadRequest(WormholeRequest):
    """An upload through a wormhole that the client has opened."""

    wormhole_code: str


class AccountedRequest(SourceRequest):
    """A request with one path, executed by a job that is charged to an account."""

    account: str | None = None


class UploadRequest(AccountedRequest):
    """A file to upload."""

    transfer_directives: WormholeUploadRequest | S3Request | StreamerRequest


class DownloadRequest(AccountedRequest):
    """A file to download."""

    transfer_directives: WormholeRequest | S3Request | StreamerRequest


class MoveRequest(AccountedRequest):
    """A file or directory to move."""

    target_path: str


class CopyRequest(AccountedRequest):
    """A file or directory to copy."""

    target_path: str
    dereference: bool = False


class CompressRequest(AccountedRequest):
    """An archive to create."""

    target_path: str
    match_pattern: str | None = None
    dereference: bool = False
    compression: Compression = Compression.GZIP


class ExtractRequest(AccountedRequest):
    """An archive to unpack."""

    target_path: str
    compression: Compression = Compression.GZIP


class TransferJobLogs(CamelModel):
    """Log files of a transfer job."""

    output_log: str
    error_log: str


class TransferJob(CamelModel):
    """The job that executes a transfer."""

    job_id: str
    system: str
    working_directory: str
    logs: TransferJobLogs


class TransferAnswer(CamelModel):
    """A submitted transfer."""

    transfer_job: TransferJob


class S3Directives(CamelModel):
    """URLs for the parts of an upload, or for a download. Fields that do not apply are omitted."""

    transfer_method: Literal[DataTransferType.s3] = DataTransferType.s3
    download_url: str | None = None
    parts_upload_urls: list[str] | None = None
    complete_upload_url: str | None = None
    max_part_size: int | None = None


class StreamerDirectives(CamelModel):
    """Addresses and secret of a streamer's job, as base64 of JSON."""

    transfer_method: Literal[DataTransferType.streamer] = DataTransferType.streamer
    coordinates: str | None = None


class WormholeDirectives(CamelModel):
    """The code of a wormhole; empty for an upload."""

    transfer_method: Literal[DataTransferType.wormhole] = DataTransferType.wormhole
    wormhole_code: str | None = None


class DataTransferAnswer(TransferAnswer):
    """A submitted transfer of a large file."""

    transfer_directives: WormholeDirectives | S3Directives | StreamerDirectives
