"""Translates what httpx, pyfirecrest and the API say went wrong into this package's errors. Once."""

from __future__ import annotations

import json
import math
import re

import httpx
from firecrest.FirecrestException import FirecrestException

from reframe_firecrest.gateway.http import policy
from reframe_firecrest.gateway.http.error_mapping import ANY, MAX_TEXT, ErrorMapping
from reframe_firecrest.gateway.http.http_client import HtmlPageError
from reframe_firecrest.gateway.http.limits import StalledError, TooMuchError
from reframe_firecrest.gateway.http.policy import NO_SPACE, Operation
from reframe_firecrest.model import errors

MAX_MESSAGE = 400
"""Characters of the remote side's words that are shown."""

FULL = (
    "the disk is full there, or your quota is used up; "
    "free space, or set FIRECREST_BASEDIR to another directory"
)

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")
"""What follows the question mark of a presigned URL is a secret."""
_STORAGE_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_FAILED_COMMAND = re.compile(r"Unable to \w+ files exit code|srun: error:")


def translate_error(
    operation: Operation, error: Exception, where: str, remedy: str = "", error_mapping: ErrorMapping = ANY
) -> errors.GatewayError:
    """Translate an exception of the layers below.

    Args:
        operation: what was asked.
        error: what httpx, pyfirecrest or the JSON decoder raised.
        where: the gateway and system, as the user knows them.
        remedy: what the user can check when it refuses who we are.
        error_mapping: how the version of the API that is spoken puts things.
    """
    what = f"{operation.name} on {where} failed"
    if isinstance(error, errors.GatewayError):
        return error
    if isinstance(error, FirecrestException) and error.responses:
        return _of_response(what, error.responses[-1], remedy, error_mapping)
    if isinstance(error, httpx.HTTPStatusError):
        return _of_response(what, error.response, remedy, error_mapping)
    if isinstance(error, TooMuchError):
        return errors.LimitExceededError(f"{what}: {error}")
    if isinstance(error, StalledError):
        return errors.UncertainError(f"{what}: the transfer stalled ({error})")
    if isinstance(error, _NOT_SENT):
        setting = "FIRECREST_URL" if _host(error) in where else None
        return errors.TransientError(f"{what}: {unreachable(error, setting)}")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.LocalProtocolError):
        # A URL that the gateway named is none.
        return errors.ProtocolError(f"{what}: {error_mapping.broken}")
    if isinstance(error, httpx.HTTPError):
        return errors.UncertainError(f"{what}: the connection broke ({type(error).__name__})")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | HtmlPageError):
        return errors.ForeignAnswerError(f"{what}: {error_mapping.broken}")
    # Numbers and depths that Python refuses are among them.
    if isinstance(error, ValueError | LookupError | TypeError | ArithmeticError | RecursionError):
        return errors.ProtocolError(f"{what}: {error_mapping.broken}")
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


def translate_storage_error(
    operation: Operation, response: httpx.Response, where: str
) -> errors.GatewayError:
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


def _of_response(
    what: str, response: httpx.Response, remedy: str, error_mapping: ErrorMapping
) -> errors.GatewayError:
    text = error_mapping.told(response)
    own = error_mapping.is_own(response)
    kind = error_mapping.classify(response, text) if own else policy.classify_foreign(response.status_code)
    if kind is errors.ForeignAnswerError:
        return kind(
            f"{what}: {error_mapping.broken} (HTTP {response.status_code})", status=response.status_code
        )
    brief = explained(kind, shortened(text))
    message = f"{what}: {brief}" if brief else f"{what}: HTTP {response.status_code}"
    if kind is errors.AuthError and remedy:
        message = f"{message.rstrip('.')}; {remedy}"
    return kind(
        message,
        status=response.status_code,
        retry_after=retry_after(response),
        own=own,
        detail=_without_queries(text),
    )


def failure_in_log(what: str, log: str) -> errors.RejectedError | None:
    """Return the failure that the error log of a transfer job tells; None if it tells none.

    The job itself reports success all the same. Sources: FirecREST v2's ``job_extract.sh`` and
    ``job_compress.sh``, which end with the exit code of an ``echo``, seen with a full disk; the recording
    ``submit_compress_job_missing`` of FirecREST v1, whose scripts end with one too, and run the command by
    srun.

    Args:
        what: the beginning of the message.
        log: what the job wrote to standard error.
    """
    if not _FAILED_COMMAND.search(log):
        return None
    kind = errors.NoSpaceError if re.search(NO_SPACE, log) else errors.RejectedError
    return kind(f"{what}: {explained(kind, shortened(log))}")


def explained(kind: type[errors.GatewayError], brief: str) -> str:
    """Begin with what to do, where what the remote side says does not tell: tar has a line for each file."""
    return f"{FULL}: {brief}" if kind is errors.NoSpaceError else brief


def shortened(text: str) -> str:
    """Shorten what the remote side says to what a user can make use of; no secret stays in it."""
    brief = re.sub(r"\s+", " ", _without_queries(text[:MAX_TEXT])).strip()[:MAX_MESSAGE]
    brief = re.sub(r"^Remote process failed with exit status:\d+ and error message:", "", brief)
    return re.sub(r"^Unexpected Slurm command response\. exit_status:\d+ std_err:", "", brief)


def _without_queries(text: str) -> str:
    return _QUERY.sub(r"\1", text)


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
