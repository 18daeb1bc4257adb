"""Specification of a job for the session, from ReFrame's job and the partition's settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from reframe.core.exceptions import JobError

from reframe_firecrest.model.directives import account_in, shape_of
from reframe_firecrest.model.job import JobSpec
from reframe_firecrest.model.job_shape import JobShape
from reframe_firecrest.model.selection import Selection
from reframe_firecrest.plugin.job import FirecrestJob
from reframe_firecrest.settings import Settings


def job_spec(
    job: FirecrestJob, settings: Settings, *, assumed_cpus: int | None, resubmit_on: Sequence[str]
) -> JobSpec:
    """Return a job's specification. ReFrame's current directory must be the stage directory.

    Args:
        job: the job, whose script has been written.
        settings: the partition's settings.
        assumed_cpus: value of ``--cpus-per-task`` in the script that depends on Slurm's version.
        resubmit_on: regular expressions for errors after which the submission is repeated.

    Raises:
        JobError: the option ``--array`` in the script is not valid.
    """
    directory = os.path.abspath(job.workdir)  # noqa: PTH100 - links must stay as ReFrame wrote them
    script = _script(job, directory)
    return JobSpec(
        name=job.name,
        directory=directory,
        script=job.script_filename,
        outputs=(job.stdout, job.stderr),
        account=settings.account,
        selection=_selection(job, settings),
        resubmit_on=tuple(resubmit_on),
        cpus_per_task=assumed_cpus,
        shape=_shape(job, directory, script),
        numbered=bool(job.is_array),
        transfer_account=settings.account or account_in(script) or None,
    )


def _script(job: FirecrestJob, directory: str) -> str:
    """Return the job script; an empty one if it is unreadable, which staging reports."""
    try:
        return Path(directory, job.script_filename).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _shape(job: FirecrestJob, directory: str, script: str) -> JobShape:
    try:
        return shape_of(script)
    except ValueError as error:
        raise JobError(f"option --array in {Path(directory, job.script_filename)}: {error}") from None


def _selection(job: FirecrestJob, settings: Settings) -> Selection:
    """Return the results to retrieve: the test's choice, or else the partition's."""
    return Selection(
        retrieve=tuple(settings.retrieve if job.retrieve is None else job.retrieve),
        exclude=tuple(settings.exclude if job.exclude is None else job.exclude),
        max_file_size=_limit(job.max_file_size, settings.max_file_size),
        max_total_size=_limit(job.max_total_size, settings.max_total_size),
        max_files=_limit(job.max_files, settings.max_files),
    )


def _limit(of_job: int | None, of_partition: int | None) -> int | None:
    limit = of_partition if of_job is None else of_job
    return None if limit is None else int(limit)
