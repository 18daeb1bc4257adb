"""Translates what httpx, pyfirecrest and the API say went wrong into this package's errors. Once."""

from __future__ import annotations

import json
import math
import re

import httpx
from firecrest.FirecrestException import FirecrestException

from reframe_firecrest import errors
from reframe_firecrest.gateway.policy import NO_SPACE, Operation, classify

MAX_MESSAGE = 400

NOT_FIRECREST = "the answer is not what FirecREST v2 promises; check FIRECREST_URL"

FULL = (
    "the disk is full there, or your quota is used up; "
    "free space, or set FIRECREST_BASEDIR to another directory"
)

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")
"""What follows the question mark of a presigned URL is a secret."""
_STORAGE_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_FAILED_COMMAND = re.compile(r"Unable to \w+ files exit code")
_LONG_IDS = re.compile(r"\s*\[X-(Request|Correlation)-ID[^\]]*\]")


def error_of(operation: Operation, error: Exception, where: str, remedy: str = "") -> errors.GatewayError:
    """Translate an exception of the layers below.

    Args:
        operation: what was asked.
        error: what httpx, pyfirecrest or the JSON decoder raised.
        where: the gateway and system, as the user knows them.
        remedy: what the user can check when it refuses who we are.
    """
    what = f"{operation.name} on {where} failed"
    if isinstance(error, errors.GatewayError):
        return error
    if isinstance(error, FirecrestException) and error.responses:
        return _of_response(what, error.responses[-1], remedy)
    if isinstance(error, httpx.HTTPStatusError):
        return _of_response(what, error.response, remedy)
    if isinstance(error, _NOT_SENT):
        setting = "FIRECREST_URL" if _host(error) in where else None
        return errors.TransientError(f"{what}: {unreachable(error, setting)}")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.LocalProtocolError):
        # A URL that the gateway named is none.
        return errors.ProtocolError(f"{what}: {NOT_FIRECREST}")
    if isinstance(error, httpx.HTTPError):
        return errors.UncertainError(f"{what}: the connection broke ({type(error).__name__})")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return errors.ForeignAnswerError(f"{what}: {NOT_FIRECREST}")
    # Numbers and depths that Python refuses are among them.
    if isinstance(error, ValueError | LookupError | TypeError | ArithmeticError | RecursionError):
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


def storage_error_of(operation: Operation, response: httpx.Response, where: str) -> errors.GatewayError:
    """Translate what an object store answers to a request that it does not grant.

    Of its text only the code is shown: the rest names the object, whose presigned URL is a secret.
    Source for the codes: Amazon S3's API reference, "Error responses".

    Args:
        operation: what was asked.
        response: the answer, whole.
        where: the gateway and system, as the user knows them.
    """
    status = response.status_code
    found = _STORAGE_CODE.search(response.text)
    code = found.group(1) if found else ""
    kind: type[errors.GatewayError] = errors.RejectedError
    if status in (408, 429, 502, 503, 504) or code in ("RequestTimeout", "SlowDown"):
        kind = errors.TransientError
    elif status >= 500 or code == "InternalError":
        kind = errors.UncertainError
    elif status in (403, 404):
        kind = errors.ForbiddenError if status == 403 else errors.NotFoundError
    elif status < 400:
        kind = errors.ProtocolError
    message = f"{operation.name} on {where} failed: the S3 storage answers HTTP {status}"
    return kind(f"{message} ({code})" if code else message, status=status, retry_after=retry_after(response))


def _of_response(what: str, response: httpx.Response, remedy: str) -> errors.GatewayError:
    text = _message_of(response)
    kind = classify(response.status_code, text)
    if kind is errors.ForeignAnswerError:
        return kind(f"{what}: {NOT_FIRECREST} (HTTP {response.status_code})", status=response.status_code)
    brief = _brief(text)
    brief = re.sub(r"^Remote process failed with exit status:\d+ and error message:", "", brief)
    brief = re.sub(r"^Unexpected Slurm command response\. exit_status:\d+ std_err:", "", brief)
    if kind is errors.NoSpaceError:
        # tar has a line for each file that it could not write.
        brief = f"{FULL}: {brief}"
    message = f"{what}: {brief}" if brief else f"{what}: HTTP {response.status_code}"
    if kind is errors.AuthError and remedy:
        message = f"{message.rstrip('.')}; {remedy}"
    return kind(message, status=response.status_code, retry_after=retry_after(response))


def failure_in_log(what: str, log: str) -> errors.RejectedError | None:
    """Return the failure that the error log of a transfer job tells; None if it tells none.

    The job itself reports success all the same. Source: FirecREST v2's ``job_extract.sh`` and
    ``job_compress.sh``, which end with the exit code of an ``echo``; seen with a full disk.

    Args:
        what: the beginning of the message.
        log: what the job wrote to standard error.
    """
    if not _FAILED_COMMAND.search(log):
        return None
    if re.search(NO_SPACE, log):
        return errors.NoSpaceError(f"{what}: {FULL}: {_brief(log)}")
    return errors.RejectedError(f"{what}: {_brief(log)}")


def _brief(text: str) -> str:
    return re.sub(r"\s+", " ", _QUERY.sub(r"\1", text)).strip()[:MAX_MESSAGE]


def _message_of(response: httpx.Response) -> str:
    try:
        return _LONG_IDS.sub("", " ".join(_texts_in(response.json())))
    except (ValueError, RecursionError, httpx.ResponseNotRead):
        return ""


def _texts_in(body: object) -> list[str]:
    if not isinstance(body, dict):
        return []
    causes = body.get("causedBy")
    told = [body.get("message"), *(causes if isinstance(causes, list) else ())]
    return list(dict.fromkeys(str(text) for text in told if text))


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds after which a server wants to be asked again, None if it does not say."""
    for header in ("retry-after", "ratelimit-reset"):
        try:
            # A date is possible too, but FirecREST's gateways send seconds.
            seconds = float(response.headers[header])
        except (KeyError, ValueError):
            continue
        if not math.isnan(seconds):
            return min(max(seconds, 0.0), 600.0)
    return None
