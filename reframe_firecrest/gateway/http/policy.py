"""Meaning of each outcome of a request, and for how long to retry: as data.

Sources: ``err_*`` recordings of a real FirecREST v2 gateway, and its behaviour when sshd's sessions,
slurmctld or slurmdbd are gone.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from reframe_firecrest.gateway.http import operations, slurm_messages
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.model import errors


@dataclass(frozen=True)
class RetryPolicy:
    """Time limits and pauses of retries.

    Attributes:
        first_contact: seconds of retries until the gateway has answered once.
        outage: seconds of retries after that.
        refused: seconds of retries if credentials are refused that were accepted before.
        pause: seconds before the first retry; doubles up to `pause_max`.
    """

    first_contact: float = 8.0
    outage: float = 1800.0
    refused: float = 120.0
    pause: float = 0.5
    pause_max: float = 20.0

    def pause_before(self, attempt: int, retry_after: float | None) -> float:
        """Return the seconds to wait before retry `attempt` (1 is the first), with jitter."""
        if retry_after is not None:
            return retry_after + random.uniform(0, 0.25)  # noqa: S311 - spreads load, not secrets
        step = min(self.pause_max, self.pause * 2.0 ** min(attempt - 1, 10))
        return step * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, not secrets


LONGEST_COMMAND = 5.0
"""Seconds after which a gateway ends a file command if it does not report them: FirecREST's default."""

MARGIN = 1.0
"""Seconds by which such a command may begin or end later than the gateway's clock says."""

UNCERTAIN_REPEATS = 4
"""Consecutive HTTP 500 that make it final for an idempotent operation; also malformed answers."""

CUT_OFF_REPEATS = 2
"""The same for operations that exceed the gateway's time limit: each attempt wastes that time."""

OVERSIZE_REPEATS = 2
"""The same for an answer that is larger than this side allows: each time its bytes are received in vain."""

REFUSALS = 2
"""The same for credentials that an identity provider refuses: it may be restarting behind its proxy."""

_DOUBTFUL = (
    errors.UncertainError,
    errors.ProtocolError,
    errors.OperationTimeoutError,
    # The output of a command was too long, or a proxy's limit was met: the command may have run.
    errors.TooLargeError,
)
"""Errors that leave open whether a request was carried out."""

NO_CHANNEL = "Unable to open a new SSH channel"
"""The gateway's message when its connection to the system has no session left."""

EXHAUSTED_AFTER = 45.0
"""Seconds without a free session after which the gateway's connection counts as used up."""

COOLDOWN = 75.0
"""Seconds without requests to a gateway after that.

A command that exceeds the gateway's 5 s occupies a session for good, and sshd allows ten by default. With
nine occupied, the two commands of a job query cannot run. The gateway closes a connection, and opens a new
one, only after 60 s without use. Source: FirecREST v2's ``SSHClientPool`` and its setting ``idle_timeout``;
observed when slurmctld was killed.
"""

NO_SPACE = "Disk quota exceeded|No space left on device"
"""Messages of commands that cannot write for lack of space."""

_STATUS: dict[int, type[errors.GatewayError]] = {
    400: errors.RejectedError,
    401: errors.AuthError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    408: errors.OperationTimeoutError,
    413: errors.TooLargeError,
    # A connection to the system that broke, perhaps while a command ran; see `_AT_ONCE`.
    424: errors.UncertainError,
    425: errors.TransientError,
    429: errors.TransientError,
    500: errors.UncertainError,
    501: errors.RejectedError,
    # The health check fails: the gateway refuses before it acts, until its next tick.
    503: errors.TransientError,
}
"""Statuses of FirecREST's own answers. It sends no others from 500 on."""

AT_THE_DOOR = (401, 425, 429)
"""Statuses that refuse a request before it is passed on, from a gateway or a proxy.

Authentication and rate limits are decided by the request's headers; 425 means that the request was not
processed (RFC 8470, section 5.2). A proxy can send any other status after it has passed the request on: 502,
503 and 504 without an answer in time, 500 when it fails itself, 403 when it blocks the answer.
"""

_FOREIGN: dict[int, type[errors.GatewayError]] = {
    401: errors.AuthError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    413: errors.TooLargeError,
    425: errors.TransientError,
    429: errors.TransientError,
    408: errors.UncertainError,
    424: errors.UncertainError,
}
"""Statuses of answers that are not FirecREST's."""

_NEVER_RAN: tuple[tuple[re.Pattern[str], type[errors.GatewayError]], ...] = (
    # Answers of FirecREST, with status 500 or 424, after which no command has run.
    (re.compile(NO_CHANNEL), errors.TransientError),
    (re.compile("SSH connection pool capacity exceeded"), errors.TransientError),
    # sshd does not listen.
    (
        re.compile(r"^(\(111, 'Connection refused'\)|\[Errno 111\] Connection refused)"),
        errors.TransientError,
    ),
)

_MESSAGES: tuple[tuple[re.Pattern[str], type[errors.GatewayError]], ...] = (
    # Answers with status 500 whose text is more specific than the status.
    # Slurm's commands wait for a daemon until the gateway ends them and closes the channel. Observed with a
    # real gateway when slurmctld was killed.
    (re.compile("Channel not open|Command execution timeout limit exceeded"), errors.OutageError),
    (re.compile("No SSH credentials found for user"), errors.AuthError),
    # A command of the scheduler; file commands get 413.
    (re.compile("Command output exceeded buffer limit"), errors.TooLargeError),
    (re.compile(NO_SPACE), errors.NoSpaceError),
    (re.compile("Remote process failed with exit status:124"), errors.OperationTimeoutError),
    (re.compile("Remote process failed with exit status:"), errors.RejectedError),
)


def classify(status: int, message: str) -> type[errors.GatewayError]:
    """Return the class of error of an answer of FirecREST.

    Args:
        status: the HTTP status.
        message: the text of the answer, including the cause.
    """
    if status < 400:
        # Redirects and web pages do not come from FirecREST.
        return errors.ForeignAnswerError
    if status in (424, 500):
        for pattern, kind in _NEVER_RAN:
            if pattern.search(message):
                return kind
    meant = slurm_messages.meaning_of(message)
    if meant is not None:
        return meant
    if status == 500:
        for pattern, kind in _MESSAGES:
            if pattern.search(message):
                return kind
    return _STATUS.get(status, errors.UncertainError if status >= 500 else errors.RejectedError)


def classify_foreign(status: int) -> type[errors.GatewayError]:
    """Return the class of error of an answer that comes from a proxy in front of FirecREST.

    The text does not matter: a proxy without an answer in time sends the same text as one that did not pass
    the request on.
    """
    if status < 400:
        return errors.ForeignAnswerError
    return _FOREIGN.get(status, errors.UncertainError if status >= 500 else errors.RejectedError)


def is_overload(error: errors.GatewayError) -> bool:
    """Report whether an error means that the gateway gets too many requests at a time.

    Status 424 or 500 is transient only if sshd has no free session or does not listen.
    """
    return isinstance(error, errors.TransientError) and error.status in (424, 429, 500)


def is_exhausted(error: errors.GatewayError) -> bool:
    """Report whether an error means that the gateway's connection to the system has no free session."""
    return isinstance(error, errors.TransientError) and NO_CHANNEL in str(error)


def in_context(operation: Operation, error: errors.GatewayError, *, answered: bool) -> errors.GatewayError:
    """Return the error that an answer means for an operation.

    Args:
        operation: the requested operation.
        error: the error by itself.
        answered: FirecREST has answered before.
    """
    # If FirecREST has answered before, a foreign answer comes from a proxy, during an outage. What a proxy
    # does not find may exist.
    not_from_it = isinstance(error, errors.NotFoundError) and not error.own
    foreign = answered and (isinstance(error, errors.ForeignAnswerError) or not_from_it)
    if isinstance(error, errors.OutageError):
        return error
    if foreign:
        return errors.UncertainError(str(error), own=False)
    if not operation.idempotent and _is_doubtful(operation, error):
        return error.as_kind(errors.UncertainError)
    return error


def _is_doubtful(operation: Operation, error: errors.GatewayError) -> bool:
    """Report whether a request may have been carried out, whatever the answer says."""
    if not error.own:
        return error.status not in AT_THE_DOOR
    # An operation that was cut off is known to be incomplete, and has a fallback.
    cut_off = isinstance(error, errors.OperationTimeoutError) and operation.fallback
    return isinstance(error, _DOUBTFUL) and not cut_off


def is_refusal(operation: Operation, error: errors.GatewayError) -> bool:
    """Report whether the gateway or an identity provider refuses the credentials.

    Gateways refuse good credentials for a while when keys rotate, and so do proxies, some with 403.
    FirecREST v2 also answers 401 when its own authorization service is down (``open_fga_client.py``).
    """
    if isinstance(error, errors.AuthError):
        return error.status == 401 or operation is operations.TOKEN
    return isinstance(error, errors.ForbiddenError) and not error.own


def may_repeat(operation: Operation, error: errors.GatewayError, consecutive: int) -> bool:
    """Report whether an operation may be retried after an error.

    Args:
        operation: the requested operation.
        error: its error.
        consecutive: number of errors since the last transient one, this one included.
    """
    if isinstance(error, errors.TransientError):
        return True
    if not operation.idempotent:
        return False
    if isinstance(error, errors.OutageError):
        return True
    if isinstance(error, errors.UncertainError) and error.status != 500:
        return True
    return consecutive < _enough(operation, error)


def _enough(operation: Operation, error: errors.GatewayError) -> int:
    """Return the number of consecutive errors that makes one final."""
    if isinstance(error, errors.UncertainError | errors.ProtocolError):
        return UNCERTAIN_REPEATS
    if isinstance(error, errors.OperationTimeoutError) and not operation.fallback:
        return CUT_OFF_REPEATS
    if isinstance(error, errors.LimitExceededError):
        return OVERSIZE_REPEATS
    if isinstance(error, errors.AuthError) and operation == operations.TOKEN:
        return REFUSALS
    return 1


TRANSFER_POLL_PAUSES = (0.0, 0.5, 2.0)
"""Seconds before each check for the result of a job: on shared file systems it appears with a delay."""
