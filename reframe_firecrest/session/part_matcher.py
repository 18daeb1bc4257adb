"""Match of listed parts to followed jobs. Slurm reuses ids, so an id alone does not identify a job."""

from __future__ import annotations

from collections.abc import Collection

from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.session.followed_job import FollowedJob
from reframe_firecrest.session.verdicts import Verdicts


class PartMatcher:
    """Pick the parts of a job.

    Args:
        verdicts: ends jobs whose ids belong to other jobs.
    """

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._directories: set[str] = set()

    def add_directory(self, directory: str | None) -> None:
        """Note the working directory of a followed job."""
        if directory:
            self._directories.add(directory)

    def parts_of(self, job: FollowedJob, listed: Collection[JobPart]) -> list[JobPart]:
        """Return a job's parts among those with its id; the job is lost if its id belongs to another job."""
        own, other_directories = [], set()
        for part in listed:
            if self._owns(job, part):
                own.append(part)
            else:
                other_directories.add(part.working_directory)
        # Until the job was met, another directory may be its own under another name.
        known = job.met or job.identity.directory is None
        if other_directories and (known or not other_directories.isdisjoint(self._directories)):
            self._verdicts.lose(
                job, f"Slurm has forgotten job {job.job_id} and given its number to another one"
            )
        return job.parts_in(own)

    def _owns(self, job: FollowedJob, part: JobPart) -> bool:
        if job.identity.directory is None:
            # The directory of a transfer job is unknown, but not those of ReFrame's jobs.
            return part.working_directory not in self._directories
        return job.owns(part)
