"""The API's answers as plain data: jobs, files, transfers, systems.

An answer that lacks a field or has one of a wrong type raises pydantic's `ValidationError`, which
`translate.error_of` turns into an error of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, PositiveInt, SecretStr

from reframe_firecrest.gateway.fields import (
    Bytes,
    Count,
    ExitCode,
    JobId,
    JobName,
    JobState,
    Line,
    Name,
    NewJobId,
    NodeSet,
    Path,
    Seconds,
    TextPath,
    valid,
)
from reframe_firecrest.gateway.protocol import FileKind, JobPart, RemoteFile
from reframe_firecrest.names import from_wire

# --- jobs -------------------------------------------------------------------------------------------


CUT_DIRECTORY = 20
"""Characters to which FirecREST before 2.5.5 cuts the directory of a pending job, because it asks squeue for
``WorkDir`` without a width. Whole directories of our jobs are longer."""


class _Status(BaseModel):
    state: JobState
    reason: Line | None = Field(default=None, alias="stateReason")
    exit_code: ExitCode | None = Field(default=None, alias="exitCode")


class _Time(BaseModel):
    end: Seconds = None
    submission: Seconds = None
    elapsed: Seconds = None
    limit: Seconds = None


class _Job(BaseModel):
    job_id: JobId = Field(alias="jobId")
    name: JobName = ""
    status: _Status
    time: _Time | None = None
    nodes: NodeSet = ""
    node_count: Count | None = Field(default=None, alias="allocationNodes")
    directory: TextPath = Field(default="", alias="workingDirectory")


class _Jobs(BaseModel):
    jobs: list[Any] | None = None


class _Submitted(BaseModel):
    job_id: NewJobId = Field(alias="jobId")


def job_id_of(answer: object) -> str:
    """Turn the answer to a submission into the job's id.

    Raises:
        ValueError: there is none in it.
    """
    return _Submitted.model_validate(answer).job_id


def jobs_of(answer: object) -> list[JobPart]:
    """Turn the answer of ``/compute/{system}/jobs`` into parts of jobs.

    A directory of which only the beginning may have been told counts as not told. A state can read
    ``CANCELLED by 1001``, and a reason can be the word "None".
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
                end=time.end,
                working_directory="" if cut else job.directory,
                node_count=job.node_count or 0,
                elapsed=time.elapsed or 0.0,
                limit=time.limit,
            )
        )
    return parts


class _Metadata(BaseModel):
    script: str | None = None
    output: str | None = Field(default=None, alias="standardOutput")


class _AllMetadata(BaseModel):
    jobs: list[_Metadata] | None = None


def scripts_of(answer: object) -> list[str]:
    """Turn the answer of ``/compute/{system}/jobs/{id}/metadata`` into the scripts that it still knows."""
    return [job.script for job in _AllMetadata.model_validate(answer).jobs or [] if job.script]


def output_of(answer: object) -> str:
    """Turn the same answer into the path of the job's standard output, empty where it does not tell."""
    return next((job.output for job in _AllMetadata.model_validate(answer).jobs or [] if job.output), "")


# --- files ------------------------------------------------------------------------------------------


_IfText = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")]


class File(BaseModel):
    """An entry of a listing; FirecREST v1 spells some of it otherwise."""

    name: str
    type: str
    size: Bytes
    mtime: Line = Field(alias="lastModified")
    target: str | None = Field(default=None, alias="linkTarget")
    permissions: _IfText = ""
    user: _IfText = ""


class _Files(BaseModel):
    output: list[File] | None = None


_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, '"': 34, "\\": 92, ":": 58}
_ESCAPED_NAME = re.compile(r"\\([0-7]{3}|[abfnrtv])")
_ESCAPED_DIRECTORY = re.compile(r"\\([0-7]{3}|[abfnrtv\"\\:])")


def unquote_c(path: str) -> str:
    """Undo the C quoting with which ``ls`` prints names, as far as the gateway left it in place.

    Of the last part, the gateway itself removes the backslash before a quote or a backslash, so that a name
    with a backslash of its own is ambiguous; control characters and everything beyond ASCII remain as
    escapes. The directories before it keep all escapes, and ``:`` is one of them (measured).
    """
    if "\\" not in path:
        return path
    *directories, name = path.split("/")
    parts = [_unescape(directory, _ESCAPED_DIRECTORY) for directory in directories]
    return "/".join([*parts, _unescape(name, _ESCAPED_NAME)])


def _unescape(text: str, escaped: re.Pattern[str]) -> str:
    out = bytearray()
    at = 0
    for match in escaped.finditer(text):
        out += text[at : match.start()].encode("utf-8", "surrogateescape")
        code = match.group(1)
        out.append(_ESCAPES[code] if code in _ESCAPES else int(code, 8) & 255)
        at = match.end()
    out += text[at:].encode("utf-8", "surrogateescape")
    return out.decode("utf-8", "surrogateescape")


def files_of(answer: object) -> list[RemoteFile]:
    """Turn the answer of ``ops/ls`` into entries."""
    return entries_of(_Files.model_validate(answer).output or [])


def entries_of(files: Iterable[File]) -> list[RemoteFile]:
    """Turn what a listing tells into entries."""
    kinds = {kind.value: kind for kind in FileKind}
    return [
        RemoteFile(
            path=from_wire(unquote_c(entry.name)),
            kind=kinds.get(entry.type, FileKind.OTHER),
            size=entry.size,
            mtime=entry.mtime,
            target=None if entry.target is None else from_wire(unquote_c(entry.target)),
            permissions=entry.permissions,
            owner=entry.user,
        )
        for entry in files
    ]


class _Stat(BaseModel):
    size: Bytes


class _StatAnswer(BaseModel):
    output: _Stat


def size_of(answer: object) -> int:
    """Turn the answer of ``ops/stat`` into the file's size in bytes."""
    return _StatAnswer.model_validate(answer).output.size


# --- transfers --------------------------------------------------------------------------------------


class _Logs(BaseModel):
    error: Path | None = Field(default=None, alias="errorLog")


class _TransferJob(BaseModel):
    job_id: NewJobId = Field(alias="jobId")
    logs: _Logs | None = None


@dataclass(frozen=True)
class UploadUrls:
    """Where the parts of a file go; the URLs are secrets.

    Attributes:
        parts: presigned, in the order of the parts.
        complete: presigned, for the request that puts them together.
        part_size: bytes of each part but the last.
    """

    parts: Sequence[str] = field(repr=False)
    complete: str = field(repr=False)
    part_size: int


@dataclass(frozen=True)
class UploadForm:
    """Where a file goes in one piece, behind the fields of a form; all of it is secret.

    Attributes:
        fields: of the form, before the file.
        params: of the URL's query.
        headers: of the request.
    """

    url: str = field(repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def _spelt(camel: str, snake: str) -> Any:
    # Both are about: pyfirecrest 3.10 looks for either.
    return Field(default=None, validation_alias=AliasChoices(camel, snake))


class _Directives(BaseModel):
    download_url: SecretStr | None = _spelt("downloadUrl", "download_url")
    parts: list[SecretStr] | None = _spelt("partsUploadUrls", "parts_upload_urls")
    complete_url: SecretStr | None = _spelt("completeUploadUrl", "complete_upload_url")
    part_size: PositiveInt | None = _spelt("maxPartSize", "max_part_size")


class Transfer(BaseModel):
    """A transfer that the gateway has opened: the job that carries it out, and where the data passes."""

    job: _TransferJob = Field(alias="transferJob")
    directives: _Directives | None = Field(default=None, alias="transferDirectives")

    @property
    def error_log(self) -> str | None:
        """The path of the job's error log on the system; None if the gateway does not tell it."""
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
        """Return where to put a file of `size` bytes.

        Raises:
            KeyError: the gateway named no URLs, or not as many as there are parts.
        """
        told = self.directives
        if told is None or not told.parts or told.complete_url is None or told.part_size is None:
            raise KeyError("partsUploadUrls")
        if len(told.parts) != -(-size // told.part_size):
            raise KeyError("maxPartSize")
        parts = [url.get_secret_value() for url in told.parts]
        return UploadUrls(parts, told.complete_url.get_secret_value(), told.part_size)


def transfer_of(answer: object) -> Transfer:
    """Turn the answer of ``/filesystem/{system}/transfer/...`` into a transfer."""
    return Transfer.model_validate(answer)


# --- systems ----------------------------------------------------------------------------------------


class _Scheduler(BaseModel):
    version: Line | None = None


class _DataOperation(BaseModel):
    max_ops_file_size: Bytes | None = None


class _SshTimeouts(BaseModel):
    command: Annotated[float, Field(ge=0, le=3600)] | None = Field(default=None, alias="commandExecution")


class _Ssh(BaseModel):
    timeout: _SshTimeouts | None = None


class System(BaseModel):
    """One system of ``/status/systems``, as far as this package reads it."""

    name: Name
    scheduler: _Scheduler | None = None
    data_operation: _DataOperation | None = Field(default=None, alias="dataOperation")
    ssh: _Ssh | None = None

    @property
    def longest_command(self) -> float | None:
        """Seconds after which commands on files are ended; None where that is not told."""
        return self.ssh.timeout.command if self.ssh and self.ssh.timeout else None

    @property
    def scheduler_version(self) -> tuple[int, ...] | None:
        """The scheduler's version as numbers."""
        found = re.match(r"([0-9]{1,9}(?:\.[0-9]{1,9})*)", (self.scheduler and self.scheduler.version) or "")
        return tuple(int(number) for number in found.group(1).split(".")) if found else None


class _Systems(BaseModel):
    systems: list[Any]


def systems_of(answer: object) -> Sequence[System]:
    """Turn the answer of ``/status/systems`` into systems."""
    return valid(System, _Systems.model_validate(answer).systems, "system")
