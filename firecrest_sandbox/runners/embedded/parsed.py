"""Limits of the real gateway's parser for the output of sacct."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from firecrest_sandbox.errors import SchedulerError

if TYPE_CHECKING:
    from firecrest_sandbox.records import Job, JobTask

_SEPARATOR = "|"


def as_parsed(jobs: Iterable[Job], limit: int) -> list[Job]:
    """Return the jobs that the real gateway finds in sacct's output.

    It skips the line of a job with the separator in its name, and fails at the line of a step whose job it
    skipped (eth-cscs/firecrest-v2 at 35e1d08, sacct_job_info_command.py).

    Args:
        jobs: jobs in sacct's output.
        limit: maximum output of a command in bytes.

    Raises:
        SchedulerError: 500; the output exceeds the limit, or a started job has the separator in its name.
    """
    shown = list(jobs)
    if sum(map(_printed_size, shown)) > limit:
        raise SchedulerError.query_overflowed()
    if any(_SEPARATOR in job.name and job.tasks for job in shown):
        raise SchedulerError.query_unparsable()
    return [job for job in shown if _SEPARATOR not in job.name]


def _printed_size(job: Job) -> int:
    """Return the approximate size of sacct's lines for a job and its steps, in bytes."""
    values = (
        *(job.job_id, job.allocation_nodes, job.cluster, "0:0", job.group, job.account, job.name, job.nodes),
        *(job.partition, job.priority, job.status.state, job.status.state_reason, job.time.elapsed),
        *(job.time.start, job.time.start, job.time.end, job.time.suspended, job.time.limit),
        *(job.user, job.working_directory),
    )
    line = len(_SEPARATOR.join("" if value is None else str(value) for value in values).encode()) + 1
    return line + sum(_step_size(job, step) for step in job.tasks or ())


def _step_size(job: Job, step: JobTask) -> int:
    values = (
        *(step.id, job.allocation_nodes, job.cluster, "0:0", "", job.account, step.name, job.nodes, "", ""),
        *(step.status.state, "", step.time.elapsed, step.time.start, step.time.start, step.time.end),
        *(step.time.suspended, "", "", ""),
    )
    return len(_SEPARATOR.join("" if value is None else str(value) for value in values).encode()) + 1
