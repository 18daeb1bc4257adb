"""Submissions to the embedded runner: their scripts, and the reasons for which sbatch refuses them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from firecrest_sandbox.errors import SchedulerError
from firecrest_sandbox.runners.embedded.directives import (
    JobSpec,
    QuotaError,
    SbatchError,
    read_spec,
    rest_spec,
    script_path,
)
from firecrest_sandbox.runners.embedded.inventory import FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firecrest_sandbox.config import SandboxConfig
    from firecrest_sandbox.records import JobDescription

_OVER_QUOTA = (
    "QOSMaxSubmitJobPerUserLimit\n"
    "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy "
    "(job submit limit, user's size and/or time limits)"
)
"""Output of sbatch 22.05 for a submission beyond a QOS's MaxSubmitJobsPerUser."""


def read_submission(description: JobDescription, *, over_rest: bool = False) -> JobSpec:
    """Return the requirements of a job, from the request and its script.

    Raises:
        SbatchError: the script cannot be read, or sbatch would refuse it.
    """
    if over_rest:
        return rest_spec(description)
    if not description.script_path:
        return read_spec(description, description.script, "sbatch")
    path = Path(script_path(description))
    try:
        script = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        raise SbatchError(f"Unable to open file {description.script_path}") from None
    return read_spec(description, script, path.name)


def check_submission(spec: JobSpec, config: SandboxConfig, nodes: Iterable[str]) -> None:
    """Check that the simulated cluster has everything that a job names.

    Raises:
        SbatchError: it has no such partition, account, reservation, feature or node.
    """
    if spec.partition is not None and spec.partition not in config.partitions:
        raise SbatchError(
            f"invalid partition specified: {spec.partition}\n"
            "sbatch: error: Batch job submission failed: Invalid partition name specified"
        )
    failed = "Batch job submission failed: "
    if spec.account is not None and spec.account not in config.accounts:
        raise SbatchError(failed + "Invalid account or account/partition combination specified")
    if spec.reservation is not None:
        raise SbatchError(failed + "Requested reservation is invalid")
    if spec.constraint is not None and spec.constraint != FEATURES:
        raise SbatchError(failed + "Invalid feature specification")
    if not {*spec.nodelist, *spec.exclude} <= set(nodes):
        raise SbatchError(failed + "Invalid node name specified")


def check_quota(spec: JobSpec, unfinished: int, limit: int | None) -> None:
    """Check that a submission stays within the limit of unfinished jobs.

    Raises:
        QuotaError: it exceeds the limit.
    """
    tasks = 1 if spec.array is None else len(spec.array.indices)
    if limit is not None and unfinished + tasks > limit:
        raise QuotaError(_OVER_QUOTA)


def refusal(error: SbatchError, *, over_rest: bool) -> SchedulerError:
    """Return the answer to a refused submission."""
    if over_rest:
        return SchedulerError.rest_answered(error.reason)
    if isinstance(error, QuotaError):
        return SchedulerError.over_quota(error.stderr)
    return SchedulerError.answered(1, error.stderr)
