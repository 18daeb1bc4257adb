"""The API's answers as plain data: jobs, files and transfers.

An invalid answer raises pydantic's `ValidationError`, which `error_translation.translate_error` translates.
"""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field, PositiveInt, SecretStr

from reframe_firecrest.gateway.field_types import (
    Answer,
    Count,
    ExitCode,
    JobId,
    JobName,
    JobState,
    Line,
    NewJobId,
    NodeSet,
    Path,
    Seconds,
    TextPath,
    valid,
)
from reframe_firecrest.gateway.file_schemas import File, to_remote_files
from reframe_firecrest.gateway.object_storage.upload_targets import UploadUrls
from reframe_firecrest.model.remote_file import RemoteFile
from reframe_firecrest.model.slurm_job import JobPart

# --- jobs -------------------------------------------------------------------------------------------


CUT_DIRECTORY = 20
"""Characters to which FirecREST before 2.5.5 truncates the directory of a pending job, since it queries
squeue for ``WorkDir`` without a width. The directories of our jobs are longer."""


class _Status(Answer):
    state: JobState
    reason: Line | None = Field(default=None, alias="stateReason")
    exit_code: ExitCode | None = Field(default=None, alias="exitCode")


class _Time(Answer):
    start: Seconds = None
    end: Seconds = None
    submission: Seconds = None
    elapsed: Seconds = None
    limit: Seconds = None


class _Job(Answer):
    job_id: JobId = Field(alias="jobId")
    name: JobName = ""
    status: _Status
    time: _Time | None = None
    nodes: NodeSet = ""
    node_count: Count | None = Field(default=None, alias="allocationNodes")
    directory: TextPath = Field(default="", alias="workingDirectory")


class _Jobs(Answer):
    jobs: list[Any] | None = None


class _Submitted(Answer):
    job_id: NewJobId = Field(alias="jobId")


def parse_job_id(answer: object) -> str:
    """Return the job's id from the answer to a submission.

    Raises:
        ValueError: it contains none.
    """
    return _Submitted.model_validate(answer).job_id


def parse_jobs(answer: object) -> list[JobPart]:
    """Parse the answer of ``/compute/{system}/jobs``.

    A directory that may be truncated counts as unknown. A state can be ``CANCELLED by 1001``, and a reason
    the word "None".
    """
    parts = []
    for job in valid(_Job, _Jobs.model_validate(answer).jobs, "job"):
        time = job.time or _Time()
        reason = job.status.reason
        cut = job.status.state == "PENDING" and len(job.directory) == CUT_DIRECTORY
        parts.append(
            JobPart(
                job_id=job.job_id,
                name=job.name,
                state=job.status.state,
                reason=None if reason in (None, "", "None") else reason,
                exit_code=job.status.exit_code,
                nodes=job.nodes,
                submitted=time.submission,
                # slurmrestd reports 0 for a time that is not known yet.
                end=time.end or None,
                working_directory="" if cut else job.directory,
                node_count=job.node_count or 0,
                elapsed=time.elapsed or 0.0,
                limit=time.limit,
                start=time.start,
            )
        )
    return parts


class _Metadata(Answer):
    script: str | None = None
    output: str | None = Field(default=None, alias="standardOutput")


class _AllMetadata(Answer):
    jobs: list[_Metadata] | None = None


def parse_scripts(answer: object) -> list[str]:
    """Return the scripts in the answer of ``/compute/{system}/jobs/{id}/metadata``."""
    return [job.script for job in _AllMetadata.model_validate(answer).jobs or [] if job.script]


def parse_output(answer: object) -> str:
    """Return the path of the job's standard output from the same answer, empty if it is missing."""
    return next((job.output for job in _AllMetadata.model_validate(answer).jobs or [] if job.output), "")


# --- files ------------------------------------------------------------------------------------------


class _Files(Answer):
    output: list[File] | None = None


def parse_listing(answer: object) -> list[RemoteFile]:
    """Parse the answer of ``ops/ls``."""
    return to_remote_files(_Files.model_validate(answer).output or [])


# --- transfers --------------------------------------------------------------------------------------


class _Logs(Answer):
    error: Path | None = Field(default=None, alias="errorLog")


class _TransferJob(Answer):
    job_id: NewJobId = Field(alias="jobId")
    logs: _Logs | None = None


def _spelt(camel: str, snake: str) -> Any:
    # Both spellings occur; pyfirecrest 3.10 accepts either.
    return Field(default=None, validation_alias=AliasChoices(camel, snake))


class _Directives(Answer):
    download_url: SecretStr | None = _spelt("downloadUrl", "download_url")
    parts: list[SecretStr] | None = _spelt("partsUploadUrls", "parts_upload_urls")
    complete_url: SecretStr | None = _spelt("completeUploadUrl", "complete_upload_url")
    part_size: PositiveInt | None = _spelt("maxPartSize", "max_part_size")


class Transfer(Answer):
    """A transfer that the gateway has begun: its job, and the URLs for the data."""

    job: _TransferJob = Field(alias="transferJob")
    directives: _Directives | None = Field(default=None, alias="transferDirectives")

    @property
    def error_log(self) -> str | None:
        """Path of the job's error log on the system; None if the gateway does not report it."""
        return self.job.logs.error if self.job.logs else None

    @property
    def download_url(self) -> str:
        """The presigned URL; it is a secret.

        Raises:
            KeyError: the gateway named none.
        """
        if self.directives is None or self.directives.download_url is None:
            raise KeyError("downloadUrl")
        return self.directives.download_url.get_secret_value()

    def upload_urls(self, size: int) -> UploadUrls:
        """Return the URLs for a file of `size` bytes.

        Raises:
            KeyError: there are no URLs, or not as many as parts.
        """
        given = self.directives
        if given is None or not given.parts or given.complete_url is None or given.part_size is None:
            raise KeyError("partsUploadUrls")
        if len(given.parts) != -(-size // given.part_size):
            raise KeyError("maxPartSize")
        parts = [url.get_secret_value() for url in given.parts]
        return UploadUrls(parts, given.complete_url.get_secret_value(), given.part_size)


def parse_transfer(answer: object) -> Transfer:
    """Parse the answer of ``/filesystem/{system}/transfer/...``."""
    return Transfer.model_validate(answer)
