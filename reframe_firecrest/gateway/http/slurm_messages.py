"""Messages of Slurm's commands, and the class of error of each: as data.

A gateway returns the standard error of ``sbatch``, ``scancel``, ``squeue`` and ``sacct``, with HTTP statuses
that differ between versions: FirecREST v2 sends 403 for limits of accounts and QOS and 500 for other
refusals, FirecREST v1 sends 200 and a failed task. So the message decides, regardless of the status.

Sources: ``slurm_errno.c``, ``sbatch.c`` and the names in ``job_reasons.c`` of Slurm. The wording was checked
against Debian's build of Slurm 22.05.8 (``strings libslurmfull.so``, the plugins, ``sbatch`` and ``sacct``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reframe_firecrest.model import errors

REFUSED = errors.RejectedError
"""Slurm has refused the request, so nothing was done."""

AWAY = errors.OutageError
"""A daemon did not answer, or the connection to it failed. The request may have been carried out."""

DENIED = errors.ForbiddenError
"""Slurm has refused the request, since it concerns another user."""

UNKNOWN = errors.UncertainError
"""The request may have been carried out; the daemon may be up."""

JOB_HAS_ENDED = "already completing or completed|Invalid job id"
"""Messages for a job that has ended, with the gateway's status 500."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        text: its beginning, as a regular expression.
        means: the class of error of the message.
        code: its name in ``slurm_errno.h``; empty if it has none.
    """

    text: str
    means: type[errors.GatewayError]
    code: str = ""


MESSAGES = (
    # --- the controller does not answer or cannot be reached ---
    Message(r"Unable to contact slurm controller", AWAY, "SLURMCTLD_COMMUNICATIONS_*_ERROR"),
    Message(r"Unable to contact", AWAY),
    Message(r"(Socket|Connection) timed out", AWAY, "SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT"),
    Message(r"Zero Bytes were transmitted or received", AWAY, "SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT"),
    Message(r"Communication (connection|shutdown) failure", AWAY, "SLURM_COMMUNICATIONS_*_ERROR"),
    Message(r"Message (send|receive) failure", AWAY, "SLURM_COMMUNICATIONS_*_ERROR"),
    Message(r"Insane message length", AWAY, "SLURM_PROTOCOL_INSANE_MSG_LENGTH"),
    Message(r"Slurm backup controller in standby mode", AWAY, "ESLURM_IN_STANDBY_MODE"),
    Message(r"Controller is in standby mode", AWAY, "ESLURM_IN_STANDBY_USE_BACKUP"),
    # Credentials between Slurm's daemons: munged is down, or the clocks differ.
    Message(r"Protocol authentication error", AWAY, "SLURM_PROTOCOL_AUTHENTICATION_ERROR"),
    Message(r"(Munge|If munged is up)", AWAY),
    # --- the accounting does not answer; the controller may ---
    Message(r"(slurm_persist_conn_open|failed to open persistent connection|Sending PersistInit)", UNKNOWN),
    Message(r"Unable to connect to database", UNKNOWN, "ESLURM_DB_CONNECTION"),
    Message(r"Problem talking to (the )?database", UNKNOWN),
    Message(r"Connection (refused|reset by peer)|Broken pipe|No route to host", UNKNOWN),
    # --- the job's end ---
    Message(r"Job/step already completing or completed", REFUSED, "ESLURM_ALREADY_DONE"),
    Message(r"Invalid job id specified", REFUSED, "ESLURM_INVALID_JOB_ID"),
    # --- limits of accounts and QOS; sbatch names the limit in a separate line ---
    Message(r"(QOS|Assoc)(Grp|Max|Min|Usage)\w*", REFUSED),
    Message(r"Job violates accounting/QOS policy", REFUSED, "ESLURM_ACCOUNTING_POLICY"),
    Message(r"Invalid account or account/partition combination", REFUSED, "ESLURM_INVALID_ACCOUNT"),
    Message(r"Invalid qos specification", REFUSED, "ESLURM_INVALID_QOS"),
    Message(r"Invalid wckey specification", REFUSED, "ESLURM_INVALID_WCKEY"),
    Message(r"Invalid license specification", REFUSED, "ESLURM_INVALID_LICENSES"),
    # --- permissions ---
    Message(r"Access/permission denied", DENIED, "ESLURM_ACCESS_DENIED"),
    Message(r"User's group not permitted", REFUSED, "ESLURM_JOB_MISSING_REQUIRED_PARTITION_GROUP"),
    Message(r"Access denied to requested reservation", REFUSED, "ESLURM_RESERVATION_ACCESS"),
    Message(r"Invalid user id", REFUSED, "ESLURM_USER_ID_MISSING"),
    # --- resources ---
    Message(r"[Ii]nvalid partition (name )?specified", REFUSED, "ESLURM_INVALID_PARTITION_NAME"),
    Message(r"No partition specified", REFUSED, "ESLURM_DEFAULT_PARTITION_NOT_SET"),
    Message(r"Requested reservation is invalid", REFUSED, "ESLURM_RESERVATION_INVALID"),
    Message(r"Requested node configuration is not available", REFUSED, "ESLURM_REQUESTED_NODE_CONFIG_*"),
    Message(r"Requested partition configuration not available", REFUSED, "ESLURM_REQUESTED_PART_CONFIG_*"),
    Message(r"Requested nodes are busy", REFUSED, "ESLURM_NODES_BUSY"),
    Message(r"Requested nodes not in this partition", REFUSED, "ESLURM_REQUESTED_NODES_NOT_IN_PARTITION"),
    Message(r"Required node not available", REFUSED, "ESLURM_NODE_NOT_AVAIL"),
    Message(r"Required partition not available", REFUSED, "ESLURM_PARTITION_NOT_AVAIL"),
    Message(r"Node count specification invalid", REFUSED, "ESLURM_INVALID_NODE_COUNT"),
    Message(r"More processors requested than permitted", REFUSED, "ESLURM_TOO_MANY_REQUESTED_CPUS"),
    Message(r"Requested time limit is invalid", REFUSED, "ESLURM_INVALID_TIME_LIMIT"),
    Message(r"Time limit specification required", REFUSED, "ESLURM_MISSING_TIME_LIMIT"),
    Message(r"Memory (required by task|specification)", REFUSED, "ESLURM_INVALID_TASK_MEMORY"),
    Message(r"(CPU|GPU|Task|Core) count ", REFUSED),
    Message(r"Invalid (node name|feature|generic resource|job array)", REFUSED, "ESLURM_INVALID_*"),
    Message(r"Job dependency problem", REFUSED, "ESLURM_DEPENDENCY"),
    Message(r"Job script not specified", REFUSED, "ESLURM_JOB_SCRIPT_MISSING"),
    Message(r"Batch script (is empty|contains)", REFUSED),
    Message(
        r"Pathname of a file, directory or other parameter too long", REFUSED, "ESLURM_PATHNAME_TOO_LONG"
    ),
    # --- temporary; sbatch has retried for two minutes before it reports them ---
    Message(r"Unable to create job record", REFUSED, "ESLURM_ERROR_ON_DESC_TO_RECORD_COPY"),
    Message(r"Resource temporarily unavailable", REFUSED, "EAGAIN"),
    Message(r"Requested operation is presently disabled", REFUSED, "ESLURM_DISABLED"),
    # --- sbatch retries after these lines, and may have been ended before its last ---
    Message(r"Slurm temporarily unable to accept job, sleeping and retrying", UNKNOWN),
    Message(r"Slurm job queue full, sleeping and retrying", UNKNOWN),
    Message(r"Job creation temporarily disabled, retrying", UNKNOWN),
)
"""The messages, those of a failed connection first, since they leave open what was done."""

_OF_FILES = "Remote process failed"
"""Prefix of FirecREST v2's message for a failed file command: file names in it may contain any message."""

_FAILED = "Batch job submission failed: "
_PREFIX = re.compile(
    r'[\n"]|\b\w+: (?:error|fatal|warning): |\b(?:slurm_\w+ error|Kill job error on job id \S+|\bstd_err): ?'
    f"|{_FAILED}"
)
"""Text before a message; FirecREST v1 loses the newlines between messages."""

_COMPILED = tuple((re.compile(message.text), message.means) for message in MESSAGES)
_REFUSED_BY_SBATCH = re.compile(r"exit_status:[1-9]\d* std_err:.*sbatch: error: ", re.DOTALL)


def meaning_of(text: str) -> type[errors.GatewayError] | None:
    """Return the class of error of the messages of Slurm's commands in a text, None if there are none.

    Args:
        text: the gateway's description of an error.
    """
    if text.startswith(_OF_FILES):
        return None
    reason = text.rpartition(_FAILED)[2] if _FAILED in text else None
    # The last reason is final, regardless of sbatch's earlier messages.
    found = list(_known(text if reason is None else reason))
    for means in (AWAY, UNKNOWN):
        if means in found:
            return means
    if reason is not None or _REFUSED_BY_SBATCH.search(text):
        return REFUSED
    return found[0] if found else None


def is_refused_by_sbatch(text: str) -> bool:
    """Report whether sbatch has refused the job.

    FirecREST v1 reports a failure for any other message of sbatch too, even if the job was queued.
    """
    return _FAILED in text and meaning_of(text) is REFUSED


def _known(text: str) -> Iterator[type[errors.GatewayError]]:
    for piece in _PREFIX.split(text):
        yield from (means for pattern, means in _COMPILED if pattern.match(piece.strip()))
