"""Requests and answers of transfers."""

from enum import Enum
from typing import Literal

from pydantic import Field

from firecrest_sandbox.filesystem.archives import Compression
from firecrest_sandbox.v2.filesystem_models import SourceRequest
from firecrest_sandbox.v2.models import CamelModel


class TransferMethod(str, Enum):
    """How files travel beyond the limits of direct transfers; the sandbox knows one way."""

    S3 = "s3"


class UploadDirectives(CamelModel):
    """What is going to be uploaded."""

    file_size: int | None = Field(default=None, ge=0, description="in bytes")
    transfer_method: Literal[TransferMethod.S3]


class DownloadDirectives(CamelModel):
    """How to download."""

    transfer_method: Literal[TransferMethod.S3]


class AccountedRequest(SourceRequest):
    """A request about one path, carried out by a job that an account pays for."""

    account: str | None = None


class UploadRequest(AccountedRequest):
    """A file to be written."""

    transfer_directives: UploadDirectives


class DownloadRequest(AccountedRequest):
    """A file to be fetched."""

    transfer_directives: DownloadDirectives


class MoveRequest(AccountedRequest):
    """A file or directory to be moved."""

    target_path: str


class CopyRequest(AccountedRequest):
    """A file or directory to be copied."""

    target_path: str
    dereference: bool = False


class CompressRequest(AccountedRequest):
    """An archive to be made."""

    target_path: str
    match_pattern: str | None = None
    dereference: bool = False
    compression: Compression = Compression.GZIP


class ExtractRequest(AccountedRequest):
    """An archive to be unpacked."""

    target_path: str
    compression: Compression = Compression.GZIP


class TransferJobLogs(CamelModel):
    """Where a transfer job writes."""

    output_log: str
    error_log: str


class TransferJob(CamelModel):
    """The job that carries a transfer out."""

    job_id: str
    system: str
    working_directory: str
    logs: TransferJobLogs


class TransferAnswer(CamelModel):
    """A transfer that has been queued."""

    transfer_job: TransferJob


class S3Directives(CamelModel):
    """Where a client puts the parts of a file, or fetches it; only what applies is sent."""

    transfer_method: Literal[TransferMethod.S3] = TransferMethod.S3
    download_url: str | None = None
    parts_upload_urls: list[str] | None = None
    complete_upload_url: str | None = None
    max_part_size: int | None = None


class DataTransferAnswer(TransferAnswer):
    """A transfer through the object storage that has been queued."""

    transfer_directives: S3Directives
