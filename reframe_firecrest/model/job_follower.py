"""Interface through which a transfer waits for its Slurm job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reframe_firecrest.model.slurm_job import JobPart


class JobFollower(Protocol):
    """Follow jobs to their end; one follower queries all jobs of a system at once."""

    async def wait_until_ended(self, job_id: str) -> Sequence[JobPart]:
        """Wait until a job has ended; return its parts.

        Raises:
            FirecrestError: the job is lost, or the gateway has not answered for too long.
        """
        ...


class NoFollower:
    """The follower of a gateway that never transfers through the object storage."""

    async def wait_until_ended(self, job_id: str) -> Sequence[JobPart]:
        """Refuse to wait: following jobs needs a follower, see `Gateway.follow_jobs_with`."""
        raise AssertionError(f"no follower was set for transfer job {job_id}")
