"""Errors that become answers with a status of 400 and above.

::

    GatewayError                any refusal: a status and the body of FirecREST v2
    ├── CommandError            a file operation's command failed; its message determines the status
    ├── OperationTimeoutError   408, the command exceeded the site's time limit
    ├── OutputLimitError        413, the command printed more than the site's limit
    ├── PathError               400, the path is relative or outside the root
    ├── JobNotFoundError        404
    ├── NotOverRestError        501, the site has no other connection than slurmrestd
    ├── UnhandledError          500, an exception that the real gateway does not handle
    └── SchedulerError          500 (403 for a quota), with the scheduler's message

Bodies and statuses are those of the recorded gateway (eth-cscs/firecrest-v2 after 2.5.6).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_STATUS_BY_MESSAGE = (
    ("No such file or directory", 404),
    ("Permission denied", 403),
    ("Operation not permitted", 403),
    ("File exists", 400),
    ("invalid user", 400),
)


_ERROR_CODES = {
    "Invalid partition name specified": 2000,
    "Invalid job id specified": 2017,
    "Invalid account or account/partition combination specified": 2045,
}
"""Slurm's numbers of errors, as slurmrestd 22.05 sends them."""


class GatewayError(Exception):
    """A request is refused with this HTTP status and error body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        caused_by: list[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.caused_by = caused_by
        self.headers = dict(headers or {})

    def body(self, user: str | None) -> dict[str, Any]:
        """Return the JSON body of FirecREST v2."""
        return {
            "errorType": "error",
            "message": self.message,
            "causedBy": self.caused_by,
            "data": None,
            "user": user,
        }


class CommandError(GatewayError):
    """A command of a file operation failed; its message determines the status: 404, 403, 400 or 500."""

    def __init__(self, exit_status: int, stderr: str) -> None:
        self.exit_status = exit_status
        self.stderr = stderr
        message = f"Remote process failed with exit status:{exit_status}"
        if stderr:
            message += f" and error message:{stderr.strip()}"
        status = next((code for text, code in _STATUS_BY_MESSAGE if text in stderr), 500)
        super().__init__(status, message)


class OperationTimeoutError(GatewayError):
    """A file operation exceeded the site's time limit."""

    def __init__(self) -> None:
        super().__init__(408, "Command execution timeout limit exceeded.")


class OutputLimitError(GatewayError):
    """A command printed more than the site's limit in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, "Command output exceeded buffer limit.")
        self.limit = limit


class PathError(GatewayError):
    """A path is relative, or leads out of the root directory."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(400, message)
        self.path = path

    @classmethod
    def relative(cls, path: str) -> PathError:
        """Return the refusal of a path without a leading slash."""
        return cls(path, f"The provided path ({path}) is not an absolute path.")

    @classmethod
    def outside(cls, path: str, system: str) -> PathError:
        """Return the refusal of a path outside the system's file systems."""
        return cls(
            path,
            f"The provided path ({path}) does not match any of the defined filesystem paths "
            f"for the requested system ({system}).",
        )


class JobNotFoundError(GatewayError):
    """The job id is unknown."""

    def __init__(self) -> None:
        super().__init__(404, "Job not found.")


class NotOverRestError(GatewayError):
    """The request is impossible with slurmrestd alone."""

    def __init__(self) -> None:
        super().__init__(
            501, "Scheduler can't handle this request when configured to use rest connection mode"
        )


class UnhandledError(GatewayError):
    """An exception that the real gateway does not handle.

    Its answer names no user, and the connection is closed after it without an announcement (recorded).
    """

    def __init__(self, text: str) -> None:
        super().__init__(500, f"{(text,)}")


class SchedulerError(GatewayError):
    """A scheduler command failed; `stderr` is its error output."""

    def __init__(self, status: int, message: str, *, stderr: str, caused_by: list[str] | None = None) -> None:
        super().__init__(status, message, caused_by=caused_by)
        self.stderr = stderr

    @classmethod
    def answered(cls, exit_status: int, stderr: str) -> SchedulerError:
        """Return the error of a command that failed."""
        return cls(500, _unexpected(exit_status, stderr), stderr=stderr)

    @classmethod
    def query_answered(cls, exit_status: int, stderr: str) -> SchedulerError:
        """Return the error of a failed job query, which the real gateway wraps in another message."""
        caused_by = [_unexpected(exit_status, stderr)]
        return cls(500, "Error executing Slurm command.", caused_by=caused_by, stderr=stderr)

    @classmethod
    def query_overflowed(cls) -> SchedulerError:
        """Return the error of a job query whose command exceeded the output limit."""
        caused_by = ["Command output exceeded buffer limit."]
        return cls(500, "Error executing Slurm command.", caused_by=caused_by, stderr="")

    @classmethod
    def query_unparsable(cls) -> SchedulerError:
        """Return the error of a job query with unreadable output; the real gateway gives no cause."""
        return cls(500, "Error executing Slurm command.", stderr="")

    @classmethod
    def rest_answered(cls, reason: str) -> SchedulerError:
        """Return the error of a request to slurmrestd (22.05 answers the same for unknown jobs)."""
        body = json.dumps({"errors": [{"error_code": _ERROR_CODES.get(reason, -1), "error": reason}]})
        message = f"Unexpected Slurm API response. status:500 message:{body}"
        return cls(500, message, stderr=reason)

    @classmethod
    def pbs_answered(cls, exit_status: int, stderr: str, *, answer: str = "command") -> SchedulerError:
        """Return the error of a failed command of PBS."""
        message = f"Unexpected PBS {answer} response. exit_status:{exit_status} std_err:{stderr}"
        return cls(500, message, stderr=stderr, caused_by=[message])

    @classmethod
    def over_quota(cls, stderr: str) -> SchedulerError:
        """Return the refusal of a submission beyond an accounting or QOS limit."""
        return cls(
            403,
            "Job submission rejected: accounting/QOS policy limit exceeded. " + stderr.strip(),
            stderr=stderr,
        )


def _unexpected(exit_status: int, stderr: str) -> str:
    return f"Unexpected Slurm command response. exit_status:{exit_status} std_err:{stderr}"
