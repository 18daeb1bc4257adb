"""Translates what httpx, pyfirecrest and the API say into this package's errors and data. Once."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

import httpx
from firecrest.FirecrestException import FirecrestException, MultipartUploadException
from pydantic import BaseModel, BeforeValidator, Field, SecretStr, ValidationError

from reframe_firecrest import errors
from reframe_firecrest.gateway.policy import Operation, classify
from reframe_firecrest.gateway.protocol import FileKind, JobPart, RemoteFile

MAX_MESSAGE = 400

NOT_FIRECREST = "the answer is not what FirecREST v2 promises; check FIRECREST_URL"

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")
"""What follows the question mark of a presigned URL is a secret."""
_STORAGE_STATUS = re.compile(r"^Failed to [^:]*: (\d{3}):")
_LONG_IDS = re.compile(r"\s*\[X-(Request|Correlation)-ID[^\]]*\]")


def error_of(operation: Operation, error: Exception, where: str) -> errors.GatewayError:
    """Translate an exception of the layers below.

    Args:
        operation: what was asked.
        error: what httpx, pyfirecrest or the JSON decoder raised.
        where: the gateway and system, as the user knows them.
    """
    what = f"{operation.name} on {where} failed"
    if isinstance(error, errors.GatewayError):
        return error
    if isinstance(error, MultipartUploadException):
        return _of_multipart(what, str(error))
    if isinstance(error, FirecrestException) and error.responses:
        return _of_response(what, error.responses[-1])
    if isinstance(error, httpx.HTTPStatusError):
        return _of_response(what, error.response)
    if isinstance(error, _NOT_SENT):
        setting = "FIRECREST_URL" if _host(error) in where else None
        return errors.TransientError(f"{what}: {unreachable(error, setting)}")
    if isinstance(error, httpx.HTTPError):
        return errors.UncertainError(f"{what}: the connection broke ({type(error).__name__})")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | ValidationError | KeyError | TypeError):
        return errors.ProtocolError(f"{what}: {NOT_FIRECREST}")
    if isinstance(error, OSError):
        return errors.FinalError(f"{what}: {error.strerror or error}")
    return errors.FinalError(f"{what}: {type(error).__name__}")


def _host(error: httpx.HTTPError) -> str:
    try:
        return error.request.url.netloc.decode("ascii")
    except RuntimeError:
        return "the host"


def unreachable(error: httpx.HTTPError, setting: str | None) -> str:
    """Say which host did not answer and what to do about it.

    Args:
        error: what httpx raised.
        setting: the environment variable that names the host; None for one that the gateway named.
    """
    host = _host(error)
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            f"the certificate of {host} is not trusted; set FIRECREST_CA_BUNDLE to a file that vouches for it"
        )
    check = setting or "with the site whether it can be"
    return f"{host} can't be reached from here ({type(error).__name__}); check {check} and the network"


def _of_multipart(what: str, text: str) -> errors.GatewayError:
    # The text goes on with presigned URLs, so nothing of it is shown.
    found = _STORAGE_STATUS.match(text)
    if found is None:
        return errors.ProtocolError(f"{what}: {NOT_FIRECREST}")
    status = int(found.group(1))
    kind: type[errors.GatewayError] = errors.RejectedError
    if status >= 500 or status in (408, 429):
        kind = errors.TransientError
    return kind(f"{what}: the S3 storage did not take the data (HTTP {status})", status=status)


def _of_response(what: str, response: httpx.Response) -> errors.GatewayError:
    text = _message_of(response)
    kind = classify(response.status_code, text)
    if kind is errors.ProtocolError:
        return kind(f"{what}: {NOT_FIRECREST} (HTTP {response.status_code})", status=response.status_code)
    brief = re.sub(r"\s+", " ", _QUERY.sub(r"\1", text)).strip()[:MAX_MESSAGE]
    brief = re.sub(r"^Remote process failed with exit status:\d+ and error message:", "", brief)
    brief = re.sub(r"^Unexpected Slurm command response\. exit_status:\d+ std_err:", "", brief)
    message = f"{what}: {brief}" if brief else f"{what}: HTTP {response.status_code}"
    if kind is errors.AuthError:
        message += "; check FIRECREST_CLIENT_ID and what this client may do there"
    return kind(message, status=response.status_code, retry_after=_retry_after(response))


def _message_of(response: httpx.Response) -> str:
    try:
        body = response.json()
    except (ValueError, httpx.ResponseNotRead):
        return ""
    if not isinstance(body, dict):
        return ""
    parts = [str(body.get("message") or "")]
    causes = body.get("causedBy")
    if isinstance(causes, list):
        parts += [str(cause) for cause in causes if str(cause) not in parts]
    return _LONG_IDS.sub("", " ".join(part for part in parts if part))


def _retry_after(response: httpx.Response) -> float | None:
    for header in ("retry-after", "ratelimit-reset"):
        try:
            # A date is possible too, but FirecREST's gateways send seconds.
            return min(max(float(response.headers[header]), 0.0), 600.0)
        except (KeyError, ValueError):
            continue
    return None


# --- jobs -------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    """Join what some versions of Slurm's REST API give as a list."""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return "" if value is None else str(value)


_Text = Annotated[str, BeforeValidator(_text)]


class _Status(BaseModel):
    state: _Text
    reason: str | None = Field(default=None, alias="stateReason")
    exit_code: int | None = Field(default=None, alias="exitCode")


class _Time(BaseModel):
    start: float | None = None
    end: float | None = None
    submission: float | None = None


class _Job(BaseModel):
    job_id: _Text = Field(alias="jobId")
    name: _Text = ""
    status: _Status
    time: _Time | None = None
    nodes: _Text = ""
    directory: _Text = Field(default="", alias="workingDirectory")


class _Jobs(BaseModel):
    jobs: list[_Job] | None = None


class _Submitted(BaseModel):
    job_id: Annotated[_Text, Field(pattern="^[A-Za-z0-9]+$")] = Field(alias="jobId")


def job_id_of(answer: object) -> str:
    """Turn the answer to a submission into the job's id.

    Raises:
        ValueError: there is none in it.
    """
    return _Submitted.model_validate(answer).job_id


def jobs_of(answer: object) -> list[JobPart]:
    """Turn the answer of ``/compute/{system}/jobs`` into parts of jobs.

    A state can read ``CANCELLED by 1001``, and a reason can be the word "None".
    """
    parts = []
    for job in _Jobs.model_validate(answer).jobs or []:
        time = job.time or _Time()
        reason = job.status.reason
        parts.append(
            JobPart(
                job_id=job.job_id,
                name=job.name,
                state=job.status.state.split(" ")[0].rstrip("+"),
                reason=None if reason in (None, "", "None") else reason,
                exit_code=job.status.exit_code,
                nodes="" if job.nodes in ("None assigned", "(null)") else job.nodes,
                submitted=time.submission,
                end=time.end,
                working_directory=job.directory,
            )
        )
    return parts


# --- files ------------------------------------------------------------------------------------------


class _File(BaseModel):
    name: str
    type: str
    size: int
    mtime: str = Field(alias="lastModified")
    target: str | None = Field(default=None, alias="linkTarget")


class _Files(BaseModel):
    output: list[_File] | None = None


_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_ESCAPED = re.compile(r"\\([0-7]{3}|[abfnrtv])")


def unquote_c(name: str) -> str:
    """Undo the C quoting with which ``ls`` prints names, as far as the gateway left it in place.

    The gateway itself removes the quotes and the backslash before a quote or a backslash. Control
    characters and, in a plain locale, everything beyond ASCII remain as escapes.
    """
    if "\\" not in name:
        return name
    out = bytearray()
    at = 0
    for match in _ESCAPED.finditer(name):
        out += name[at : match.start()].encode("utf-8", "surrogateescape")
        code = match.group(1)
        out.append(_ESCAPES[code] if code in _ESCAPES else int(code, 8) & 255)
        at = match.end()
    out += name[at:].encode("utf-8", "surrogateescape")
    return out.decode("utf-8", "surrogateescape")


def files_of(answer: object) -> list[RemoteFile]:
    """Turn the answer of ``ops/ls`` into entries."""
    kinds = {kind.value: kind for kind in FileKind}
    return [
        RemoteFile(
            path=unquote_c(entry.name),
            kind=kinds.get(entry.type, FileKind.OTHER),
            size=entry.size,
            mtime=entry.mtime,
            target=None if entry.target is None else unquote_c(entry.target),
        )
        for entry in _Files.model_validate(answer).output or []
    ]


# --- transfers --------------------------------------------------------------------------------------


class _Logs(BaseModel):
    error: str | None = Field(default=None, alias="errorLog")


class _TransferJob(BaseModel):
    job_id: Annotated[_Text, Field(pattern="^[A-Za-z0-9]+$")] = Field(alias="jobId")
    logs: _Logs | None = None


class _Directives(BaseModel):
    download_url: SecretStr | None = Field(default=None, alias="downloadUrl")


class Transfer(BaseModel):
    """A transfer that the gateway has opened: the job that carries it out, and for a download, the URL."""

    job: _TransferJob = Field(alias="transferJob")
    directives: _Directives | None = Field(default=None, alias="transferDirectives")

    @property
    def download_url(self) -> str:
        """The presigned URL; it is a secret.

        Raises:
            KeyError: the gateway named none.
        """
        if self.directives is None or self.directives.download_url is None:
            raise KeyError("downloadUrl")
        return self.directives.download_url.get_secret_value()


def transfer_of(answer: object) -> Transfer:
    """Turn the answer of ``/filesystem/{system}/transfer/...`` into a transfer."""
    return Transfer.model_validate(answer)


# --- systems ----------------------------------------------------------------------------------------


class _Scheduler(BaseModel):
    version: str | None = None


class _DataOperation(BaseModel):
    max_ops_file_size: int | None = None


class System(BaseModel):
    """One system of ``/status/systems``, as far as this package reads it."""

    name: str
    scheduler: _Scheduler | None = None
    data_operation: _DataOperation | None = Field(default=None, alias="dataOperation")

    @property
    def scheduler_version(self) -> tuple[int, ...] | None:
        """The scheduler's version as numbers."""
        found = re.match(r"(\d+(?:\.\d+)*)", (self.scheduler and self.scheduler.version) or "")
        return tuple(int(number) for number in found.group(1).split(".")) if found else None


class _Systems(BaseModel):
    systems: list[System]


def systems_of(answer: object) -> Sequence[System]:
    """Turn the answer of ``/status/systems`` into systems."""
    return _Systems.model_validate(answer).systems
