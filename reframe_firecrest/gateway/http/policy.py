"""Which outcome of a request means what, and how long to go on: retrying as data.

Sources: ``err_*`` recordings of a real FirecREST v2 gateway, and its behaviour when sshd's sessions,
slurmctld or slurmdbd are gone.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass

from reframe_firecrest.gateway.http import slurm_messages
from reframe_firecrest.model import errors


@dataclass(frozen=True)
class Operation:
    """How one operation may be treated.

    Attributes:
        name: what the user would call it.
        idempotent: doing it twice has the effect of doing it once.
        fallback: it can be done in another way when the gateway cuts it off.
        timeout: seconds until an unanswered request counts as lost. The gateway itself gives up on
            a file operation after 5 s and on a Slurm command after 10 s.
        retry_policy: seconds for which it is repeated at most; less where the one who asks does so again.
    """

    name: str
    idempotent: bool = True
    fallback: bool = False
    timeout: float = 30.0
    retry_policy: float = math.inf


# Users of a gateway that takes requests and never answers are told within 15 s.
CONNECT = Operation("asking for the system", timeout=10.0)
REACH_STORAGE = Operation("reaching the S3 storage", timeout=10.0)
STATUS = Operation("asking for nodes")
USER = Operation("asking for the user's accounts")
MKDIR = Operation("creating a directory")
CHMOD = Operation("changing permissions")
LIST_FILES = Operation("listing files")
STAT = Operation("looking at a file")
# Each attempt has a name of its own: a late one must not truncate what is being unpacked.
UPLOAD = Operation("uploading", fallback=True, timeout=120.0)
DOWNLOAD = Operation("downloading", fallback=True, timeout=120.0)
READ_LOG = Operation("reading the log of a transfer job")
# A late one would put old files over what a job has written: only who can rule that out repeats it.
EXTRACT = Operation("unpacking an archive", idempotent=False, fallback=True)
UNPACK = Operation("queueing the unpacking of an archive", idempotent=False)
# Transfer jobs that receive a file, send one or pack do no harm when there are two: each names its own file.
TRANSFER = Operation("queueing a transfer")
# What is opened and not gone on with leaves nothing.
OPEN = Operation("opening a transfer")
# The same where a transfer is looked for by its name before it is queued again.
QUEUE = Operation("queueing a transfer", idempotent=False)
# So has each attempt of this, which must not rewrite what is being downloaded.
ARCHIVE = Operation("packing files", fallback=True)
REMOVE = Operation("removing files", fallback=True)
SUBMIT = Operation("submitting a job", idempotent=False)
LIST_JOBS = Operation("listing jobs")
# Whoever follows a job asks again, and counts for each job how long that has failed.
ASK_JOB = Operation("asking for a job", retry_policy=5.0)
TASK = Operation("asking how a request has ended")
CANCEL = Operation("cancelling a job")
TOKEN = Operation("fetching a token", timeout=8.0)
# Interpreters of such commands are slow to start on a loaded machine, and then they ask an identity provider.
TOKEN_COMMAND = Operation("running the token command", timeout=30.0)


@dataclass(frozen=True)
class RetryPolicy:
    """How long an operation is repeated.

    Attributes:
        first_contact: seconds, until the gateway has answered once.
        outage: seconds, from then on.
        refused: seconds for which credentials that were accepted before may be refused.
        pause: seconds before the first repetition; doubles up to `pause_max`.
    """

    first_contact: float = 8.0
    outage: float = 1800.0
    refused: float = 120.0
    pause: float = 0.5
    pause_max: float = 20.0

    def pause_before(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait before repetition `attempt` (1 is the first), with jitter."""
        if retry_after is not None:
            return retry_after + random.uniform(0, 0.25)  # noqa: S311 - spreads load, not secrets
        step = min(self.pause_max, self.pause * 2.0 ** min(attempt - 1, 10))
        return step * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, not secrets


LONGEST_COMMAND = 5.0
"""Seconds after which a gateway ends a command on files, where it does not tell: FirecREST's default."""

MARGIN = 1.0
"""Seconds by which such a command may begin or end later than the gateway's clock says."""

UNCERTAIN_REPEATS = 4
"""A 500 that comes this often in a row for an idempotent operation is an answer, not an accident; so is what
the API does not promise."""

CUT_OFF_REPEATS = 2
"""The same for an operation that takes the gateway too long: each time is lost."""

OVERSIZE_REPEATS = 2
"""The same for an answer that is larger than this side allows: each time its bytes are received in vain."""

REFUSALS = 2
"""The same for credentials that an identity provider refuses: one may be restarting behind its proxy."""

_DOUBTFUL = (
    errors.UncertainError,
    errors.ProtocolError,
    errors.OperationTimeoutError,
    # The output of a command was too long, or a proxy's limit was met: the command may have run.
    errors.TooLargeError,
)
"""Errors that leave open whether a request was carried out."""

NO_CHANNEL = "Unable to open a new SSH channel"
"""How the gateway puts it that its connection to the system has no session left."""

EXHAUSTED_AFTER = 45.0
"""Seconds for which an operation must have found no session before its connection counts as used up."""

COOLDOWN = 75.0
"""Seconds for which a gateway is left alone then.

A command that takes longer than its 5 s costs it a session for good, and sshd grants ten by default: once
nine are gone, the two commands of each job query can't run any more. Only a connection that nobody has
used for 60 s is closed, and a new one opened for the next request. Source: FirecREST v2's ``SSHClientPool``
and its setting ``idle_timeout``; seen when slurmctld was killed in front of it.
"""

NO_SPACE = "Disk quota exceeded|No space left on device"
"""How commands put it that there is no room for what they write."""

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
"""Statuses of FirecREST's own answers. It has none from 500 on but these."""

AT_THE_DOOR = (401, 425, 429)
"""Statuses with which a request is refused before it is passed on, whoever sends them.

Authentication and rate limits are decided on the request's head; 425 says that the request was not looked
at (RFC 8470, section 5.2). A proxy can send any other status after it has passed a request on: 502, 503 and
504 when the answer does not come, 500 when it fails itself, 403 when it does not let the answer through.
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
    # Nobody listens where the gateway looks for sshd.
    (
        re.compile(r"^(\(111, 'Connection refused'\)|\[Errno 111\] Connection refused)"),
        errors.TransientError,
    ),
)

_MESSAGES: tuple[tuple[re.Pattern[str], type[errors.GatewayError]], ...] = (
    # Answers with status 500 whose text is more definite than the status.
    # Slurm's commands wait for a daemon until the gateway ends them and breaks its connection. Seen when
    # slurmctld was killed behind a real gateway.
    (re.compile("Channel not open|Command execution timeout limit exceeded"), errors.OutageError),
    (re.compile("No SSH credentials found for user"), errors.AuthError),
    (re.compile(NO_SPACE), errors.NoSpaceError),
    (re.compile("Remote process failed with exit status:124"), errors.OperationTimeoutError),
    (re.compile("Remote process failed with exit status:"), errors.RejectedError),
)


def classify(status: int, message: str) -> type[errors.GatewayError]:
    """Return the class of error that an answer of FirecREST's means.

    Args:
        status: the HTTP status.
        message: the text of the answer, including what it says of the cause.
    """
    if status < 400:
        # Redirects and pages of something else: nobody who speaks FirecREST.
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
    """Return the class of error that an answer means which is not FirecREST's, but a proxy's in front of it.

    Its text does not matter: a proxy that gets no answer in time says the same as one that did not pass the
    request on.
    """
    if status < 400:
        return errors.ForeignAnswerError
    return _FOREIGN.get(status, errors.UncertainError if status >= 500 else errors.RejectedError)


def is_overload(error: errors.GatewayError) -> bool:
    """Tell whether an error says that the gateway is asked too much at a time.

    Status 500 is transient only where sshd's sessions are exhausted, or nobody listens there; so is 424.
    """
    return isinstance(error, errors.TransientError) and error.status in (424, 429, 500)


def is_exhausted(error: errors.GatewayError) -> bool:
    """Tell whether an error says that the gateway's connection to the system has no session left."""
    return isinstance(error, errors.TransientError) and NO_CHANNEL in str(error)


def in_context(operation: Operation, error: errors.GatewayError, *, answered: bool) -> errors.GatewayError:
    """Return what an error means for an operation.

    Args:
        operation: what was asked.
        error: what came of it.
        answered: FirecREST has answered before.
    """
    # It is there, so something has come in between: a proxy, for as long as an outage may last. What such a
    # thing does not find may be there.
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
    # What was cut off is known to be incomplete, and is done in another way.
    cut_off = isinstance(error, errors.OperationTimeoutError) and operation.fallback
    return isinstance(error, _DOUBTFUL) and not cut_off


def is_refusal(operation: Operation, error: errors.GatewayError) -> bool:
    """Report whether an error says that who we are is refused, by the gateway or by an identity provider.

    Gateways refuse credentials for a while when keys rotate; so do the proxies before them, some with 403.
    FirecREST v2 also answers 401 when its own authorisation service is away (``open_fga_client.py``).
    """
    if isinstance(error, errors.AuthError):
        return error.status == 401 or operation is TOKEN
    return isinstance(error, errors.ForbiddenError) and not error.own


def may_repeat(operation: Operation, error: errors.GatewayError, consecutive: int) -> bool:
    """Tell whether an operation may be sent again after an error.

    Args:
        operation: what was asked.
        error: what came of it.
        consecutive: how many errors it has had since the last that was transient, this one included.
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
    """Return how often in a row an error has to come to be believed."""
    if isinstance(error, errors.UncertainError | errors.ProtocolError):
        return UNCERTAIN_REPEATS
    if isinstance(error, errors.OperationTimeoutError) and not operation.fallback:
        return CUT_OFF_REPEATS
    if isinstance(error, errors.LimitExceededError):
        return OVERSIZE_REPEATS
    if isinstance(error, errors.AuthError) and operation == TOKEN:
        return REFUSALS
    return 1


TRANSFER_POLL_PAUSES = (0.0, 0.5, 2.0)
"""Seconds before each look for what a job did: on a shared file system others see it a little later."""
