"""Translation of the errors of httpx, pyfirecrest and the API into ours, in one place."""

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
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.policy import NO_SPACE
from reframe_firecrest.model import errors

MAX_MESSAGE = 400
"""Characters of a remote message that are shown."""

FULL = (
    "the disk is full there, or your quota is used up; "
    "free space, or set FIRECREST_BASEDIR to another directory"
)

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")
"""The query of a presigned URL is a secret."""
_STORAGE_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_FAILED_COMMAND = re.compile(r"Unable to \w+ files exit code|srun: error:")


def translate_error(
    operation: Operation, error: Exception, where: str, remedy: str = "", error_mapping: ErrorMapping = ANY
) -> errors.GatewayError:
    """Translate an exception of httpx, pyfirecrest or the JSON decoder.

    Args:
        operation: the requested operation.
        error: the exception.
        where: the gateway and system, as the user knows them.
        remedy: advice to the user if the credentials are refused.
        error_mapping: of the API version in use.
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
        # The gateway named an invalid URL.
        return errors.ProtocolError(f"{what}: {error_mapping.broken}")
    if isinstance(error, httpx.HTTPError):
        return errors.UncertainError(f"{what}: the connection broke ({type(error).__name__})")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | HtmlPageError):
        return errors.ForeignAnswerError(f"{what}: {error_mapping.broken}")
    # This includes numbers and nesting depths that Python refuses.
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
    """Describe a host that did not answer, with advice to the user.

    Args:
        error: of httpx.
        setting: the environment variable for the host; None if the gateway named the host.
    """
    host = _host(error)
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            f"the certificate of {host} is not trusted; set FIRECREST_CA_BUNDLE to a file with the "
            "site's CA certificates"
        )
    check = f"{setting} and the network" if setting else "the network, or ask the site"
    return f"{host} can't be reached from here ({type(error).__name__}); check {check}"


def translate_storage_error(
    operation: Operation, response: httpx.Response, where: str
) -> errors.GatewayError:
    """Translate an error of an object storage.

    Of its text only the code is shown, since the rest names the object, whose presigned URL is a secret.
    Source for the codes: Amazon S3's API reference, "Error responses".

    Args:
        operation: the requested operation.
        response: the answer with its body.
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
    text = error_mapping.text(response)
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
    """Return the failure in the error log of a transfer job, None if there is none.

    The job itself reports success even then. Sources: FirecREST v2's ``job_extract.sh`` and
    ``job_compress.sh``, which end with the exit code of an ``echo``, observed with a full disk; the recording
    ``submit_compress_job_missing`` of FirecREST v1, whose scripts end with an ``echo`` too and run the
    command with srun.

    Args:
        what: the beginning of the message.
        log: the job's standard error.
    """
    if not _FAILED_COMMAND.search(log):
        return None
    kind = errors.NoSpaceError if re.search(NO_SPACE, log) else errors.RejectedError
    return kind(f"{what}: {explained(kind, shortened(log))}")


def explained(kind: type[errors.GatewayError], brief: str) -> str:
    """Prepend advice to a message that lacks it: tar prints a line for each file on a full disk."""
    return f"{FULL}: {brief}" if kind is errors.NoSpaceError else brief


def shortened(text: str) -> str:
    """Shorten a remote message to the part that is useful to the user, without secrets."""
    brief = re.sub(r"\s+", " ", _without_queries(text[:MAX_TEXT])).strip()[:MAX_MESSAGE]
    brief = re.sub(r"^Remote process failed with exit status:\d+ and error message:", "", brief)
    return re.sub(r"^Unexpected Slurm command response\. exit_status:\d+ std_err:", "", brief)


def _without_queries(text: str) -> str:
    return _QUERY.sub(r"\1", text)


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that a server asks to wait before a retry, None if it does not."""
    for header in ("retry-after", "ratelimit-reset"):
        try:
            # A date is possible too, but FirecREST's gateways send seconds.
            seconds = float(response.headers[header])
        except (KeyError, ValueError):
            continue
        if not math.isnan(seconds):
            return min(max(seconds, 0.0), 600.0)
    return None
