"""Errors of FirecREST v1, mapped to ours: as data.

A failed command on the system is HTTP 400, with a header for the kind of failure. A failed task is HTTP 200,
with the failure in the task. In both cases the command's own message is more specific than the gateway's.
Sources: the recordings of a real gateway, and ``check_command_error`` in FirecREST v1.16.6's own code.
"""

from __future__ import annotations

import re

import httpx

from reframe_firecrest.gateway.http import policy, slurm_messages
from reframe_firecrest.gateway.http.error_mapping import MAX_TEXT, ErrorMapping, is_of_v1, texts_in
from reframe_firecrest.model import errors

WORDS: tuple[tuple[re.Pattern[str], type[errors.GatewayError]], ...] = (
    (re.compile("Command has finished with timeout signal"), errors.OperationTimeoutError),
    (re.compile("Command output exceeded buffer limit"), errors.TooLargeError),
    # The gateway could not reach the system, so no command has run there.
    (re.compile("Machine is not available|Unable to connect to port"), errors.TransientError),
    (re.compile("Receive ready timeout exceeded|No exit status was provided"), errors.UncertainError),
    (re.compile("Error reading SSH protocol banner|Connection reset by peer"), errors.TransientError),
    (re.compile("Error creating task|Couldn't create task"), errors.TransientError),
    (re.compile("Authentication failed|does not have permissions to access machine$"), errors.AuthError),
    (re.compile(policy.NO_SPACE), errors.NoSpaceError),
    # Before messages that contain a path, since a path may contain the text of an error.
    (re.compile("Permission denied|[Oo]peration not permitted"), errors.ForbiddenError),
    (re.compile("No such file or directory"), errors.NotFoundError),
)
"""Messages of commands and of the gateway, the more specific first."""

HEADERS: dict[str, type[errors.GatewayError]] = {
    "X-Timeout": errors.OperationTimeoutError,
    "X-Size-Limit": errors.TooLargeError,
    "X-Machine-Not-Available": errors.TransientError,
    "X-Machine-Does-Not-Exist": errors.NotFoundError,
    "X-Machine-Does-Not-Exists": errors.NotFoundError,
    "X-Permission-Denied": errors.ForbiddenError,
    "X-Not-Found": errors.NotFoundError,
    "X-Invalid-Path": errors.NotFoundError,
    "X-Not-A-Directory": errors.NotFoundError,
    "X-A-Directory": errors.RejectedError,
    "X-Exists": errors.RejectedError,
    "X-Sbatch-Error": errors.RejectedError,
    "X-Error": errors.RejectedError,
}
"""Headers of answers with status 400, and their meaning if the message is not more specific."""

_DESCRIPTIONS = re.compile(r"^(Error on \w+ operation|sourcePath error|Failed to submit job)\s*")


def meaning_of(text: str) -> type[errors.GatewayError] | None:
    """Return the class of error of a message, None if it is unknown."""
    of_slurm = slurm_messages.meaning_of(text)
    return of_slurm or next((kind for pattern, kind in WORDS if pattern.search(text)), None)


def _text(response: httpx.Response) -> str:
    texts = texts_in(response, ("message", "description", "error"))
    texts += [response.headers[name] for name in HEADERS if name in response.headers]
    unique = list(dict.fromkeys(texts))
    text = " ".join(unique)[:MAX_TEXT]
    return _DESCRIPTIONS.sub("", text) if len(unique) > 1 else text


def _is_own(response: httpx.Response) -> bool:
    # Its services name the failure in a header, even without a body.
    headed = response.status_code < 500 and any(name in response.headers for name in HEADERS)
    return is_of_v1(response) or headed


def _classify(response: httpx.Response, text: str) -> type[errors.GatewayError]:
    if response.status_code in (400, 404):
        # With a header, 404 means a missing file; without, a wrong URL, also from a proxy.
        found = [kind for name, kind in HEADERS.items() if name in response.headers]
        meant = meaning_of(text)
        if meant is not None and (found or response.status_code == 400):
            return meant
        if found:
            return found[0]
    if response.status_code >= 500:
        # Unlike v2, it has no health check that refuses a request before it is executed.
        return meaning_of(text) or errors.UncertainError
    return policy.classify(response.status_code, text)


V1 = ErrorMapping(
    api="FirecREST v1",
    text=_text,
    is_own=_is_own,
    classify=_classify,
    # Each of its services processes one request at a time.
    at_first=6,
    inside=5.0,
)
