"""Capabilities of a gateway for one system, by which each operation's implementation is selected.

They are parsed once per session from what the gateway reports. A default is FirecREST's own where a gateway
does not report the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

DEFAULT_DIRECT_LIMIT = 5 * 1024 * 1024
"""Bytes of a direct upload where the gateway does not report its limit; the default of both versions."""

ACCOUNT_FIELD = "{account}"
"""Placeholder in FirecREST v2's ``datatransfer_jobs_directives``, with which every transfer job needs an
account. Source: ``_format_directives`` in its ``datatransfer_base.py``."""


class TransferMethod(str, Enum):
    """Method by which files travel that are too large for a direct transfer."""

    S3 = "s3"
    NONE = "none"


class ConnectionMode(str, Enum):
    """Connection of a gateway to its scheduler. Source: ``SchedulerConnectionMode`` of FirecREST v2."""

    SSH = "ssh"
    HYBRID = "hybrid"
    REST = "rest"


@dataclass(frozen=True)
class Capabilities:
    """Capabilities of a gateway for one system.

    Attributes:
        transfer: usable method for large files. FirecREST's ``streamer`` and ``wormhole`` count as none.
        reported_transfer: the gateway's name for its method, ``none`` if it has none; for messages.
        storage_url: public address of the object storage; None if it is not reported.
        max_direct_upload: bytes of a file that the gateway takes in one request.
        max_direct_download: bytes of a file that the gateway sends in one answer.
        max_stored_file: bytes of a file in the object storage; None for no limit, or if it is not reported.
        max_command_output: bytes of output that a command on the system may have, such as a list of jobs;
            None for no limit.
        command_timeout: seconds after which the gateway ends a file command; None if it is not reported.
        connection_mode: the gateway's connection to the scheduler.
        scheduler: the scheduler's type in lower case, such as ``slurm`` or ``pbs``.
        scheduler_version: such as ``(22, 5, 8)``; None if it is not reported.
        selects_files: one archive can hold files that are selected by their names.
        transfer_directives: directives that the gateway adds to transfer jobs; None if it is not reported.
    """

    transfer: TransferMethod = TransferMethod.S3
    reported_transfer: str = "s3"
    storage_url: str | None = None
    max_direct_upload: int = DEFAULT_DIRECT_LIMIT
    max_direct_download: int = DEFAULT_DIRECT_LIMIT
    max_stored_file: int | None = None
    max_command_output: int | None = None
    command_timeout: float | None = None
    connection_mode: ConnectionMode = ConnectionMode.SSH
    scheduler: str = "slurm"
    scheduler_version: tuple[int, ...] | None = None
    selects_files: bool = True
    transfer_directives: tuple[str, ...] | None = None

    @property
    def transfers_need_account(self) -> bool | None:
        """True if every transfer job needs an account; None if that is unknown."""
        if self.transfer_directives is None:
            return None
        return any(ACCOUNT_FIELD in line for line in self.transfer_directives)
