"""All submitted jobs, by Slurm's ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob

_JOB_ID = re.compile(r"\d+(_\d+)?")


def is_job_id(text: str) -> bool:
    """Return whether a text has the format of a job id."""
    return _JOB_ID.fullmatch(text) is not None


class JobTable:
    """The jobs, in the order of their submission."""

    def __init__(self) -> None:
        self._jobs: list[EmbeddedJob] = []

    def __iter__(self) -> Iterator[EmbeddedJob]:
        return iter(self._jobs)

    def add(self, job: EmbeddedJob) -> None:
        """Add a job."""
        self._jobs.append(job)

    def find(self, *ids: str) -> list[EmbeddedJob]:
        """Return the jobs and array tasks with one of the ids."""
        selected = set(ids)
        return [
            job
            for job in self._jobs
            if not selected.isdisjoint((str(job.array_id), str(job.number), job.display_id))
        ]
