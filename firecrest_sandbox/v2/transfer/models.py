"""Requests and answers of transfers."""

from enum import Enum
from typing import Literal

from pydantic import Field

from firecrest_sandbox.filesystem.archives import Compression
from firecrest_sandbox.v2.filesystem_models import SourceRequest
from firecrest_sandbox.v2.models import CamelModel


class TransferMethod(str, Enum):
    """Transfer methods for large files; the server has only one."""

    S3 = "s3"


class UploadDirectives(CamelModel):
    """Properties of an upload."""

    file_size: int | None = Field(default=None, ge=0, description="in bytes")
    transfer_method: Literal[TransferMethod.S3]


class DownloadDirectives(CamelModel):
    """Properties of a download."""

    transfer_method: Literal[TransferMethod.S3]


class AccountedRequest(SourceRequest):
    """A request with one path, executed by a job that is charged to an account."""

    account: str | None = None


class UploadRequest(AccountedRequest):
    """A file to upload."""

    transfer_directives: UploadDirectives


class DownloadRequest(AccountedRequest):
    """A file to download."""

    transfer_directives: DownloadDirectives


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

    transfer_method: Literal[TransferMethod.S3] = TransferMethod.S3
    download_url: str | None = None
    parts_upload_urls: list[str] | None = None
    complete_upload_url: str | None = None
    max_part_size: int | None = None


class DataTransferAnswer(TransferAnswer):
    """A submitted transfer through the object storage."""

    transfer_directives: S3Directives
