"""Deployments of FirecREST that are not supported, or only in part, each with its problem and remedy."""

from __future__ import annotations

from dataclasses import dataclass

from reframe_firecrest.model.capabilities import Capabilities, ConnectionMode, TransferMethod
from reframe_firecrest.model.job_shape import JobShape
from reframe_firecrest.model.units import format_size

SCHEDULER = "slurm"
"""The only supported scheduler."""

PLACES_OF_ACCOUNT = (
    "set FIRECREST_ACCOUNT, or 'account' in the partition's sched_options, or --account in its access options"
    " or in the test's job options"
)
"""All places where the account of transfer jobs can be set."""

WITHOUT_STORAGE = "keep large files on the system and name their paths there, or ask the site for S3"
"""Remedy where no object storage transfers files."""

NO_ACCOUNT = "transfer jobs need an account on this system, and none is set"


@dataclass(frozen=True)
class Limitation:
    """Something that a deployment does not support.

    Attributes:
        subject: the affected part of the deployment, in one word.
        problem: what does not work.
        remedy: what to do.
        fatal: no test can run.
    """

    subject: str
    problem: str
    remedy: str
    fatal: bool = False

    def __str__(self) -> str:
        """Return problem and remedy in one line."""
        return f"{self.problem}; {self.remedy}"


def unusable_scheduler(capabilities: Capabilities) -> Limitation | None:
    """Return the limitation if the scheduler is not Slurm."""
    if capabilities.scheduler == SCHEDULER:
        return None
    return Limitation(
        "scheduler",
        f"its scheduler is {capabilities.scheduler!r}, and only Slurm is supported",
        "set FIRECREST_SYSTEM to a system with Slurm",
        fatal=True,
    )


def missing_storage(capabilities: Capabilities, direct_upload_max: int) -> Limitation | None:
    """Return the limitation if no object storage transfers files.

    Args:
        capabilities: of the gateway.
        direct_upload_max: bytes of a test's inputs that are sent in parts; see the setting.
    """
    if capabilities.transfer is TransferMethod.S3:
        return None
    found = capabilities.reported_transfer
    method = "no transfer method" if found == "none" else f"only the transfer method {found!r}"
    limit = max(direct_upload_max, capabilities.max_direct_upload)
    return Limitation(
        "storage",
        f"the gateway offers {method}, so inputs of a test above {format_size(limit)} can't be sent; a job "
        "splits larger outputs",
        "set 'direct_upload_max' if a test has larger inputs, or ask the site for S3",
    )


def missing_account(capabilities: Capabilities, account: str | None) -> Limitation | None:
    """Return the limitation if transfer jobs need an account and none is known."""
    if account or not capabilities.transfers_need_account:
        return None
    return Limitation("account", NO_ACCOUNT, PLACES_OF_ACCOUNT)


def scripts_without_directives(capabilities: Capabilities) -> Limitation | None:
    """Return the limitation if the gateway submits to slurmrestd, which does not read directives."""
    if capabilities.connection_mode is not ConnectionMode.REST:
        return None
    return Limitation(
        "scheduler",
        "the gateway submits by slurmrestd (connection_mode: rest), which ignores #SBATCH directives; time "
        "limits have no effect, and tests that need more than one task or node are refused",
        "ask the site for connection_mode: hybrid or ssh",
    )


def unsupported_shape(capabilities: Capabilities, shape: JobShape) -> Limitation | None:
    """Return the limitation if the parts of a job can't be distinguished.

    FirecREST v2 drops the indices from slurmrestd's answers; source: ``SlurmJob`` in its ``slurm/models.py``.
    """
    if capabilities.connection_mode is ConnectionMode.SSH or not shape.several:
        return None
    return Limitation(
        "scheduler",
        "arrays and heterogeneous jobs can't be followed: the gateway reads jobs from slurmrestd "
        f"(connection_mode: {capabilities.connection_mode.value}) and omits the index of each part",
        "ask the site for connection_mode: ssh",
    )
