"""Cancellation of duplicate jobs, which submissions without an answer may have left.

A duplicate does no harm: only one job runs the script, and the others end at once (see `staging.prologue`).
But it waits in the queue, and it may be charged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable

from reframe_firecrest.gateway.protocol import LATEST_EFFECT, Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import ENDED, PENDING
from reframe_firecrest.session.cancel_queue import CancelQueue
from reframe_firecrest.session.submission import Submission
from reframe_firecrest.staging.markers import Markers, read_claims

_LOGGER = logging.getLogger(__name__)


class Duplicates:
    """Duplicates of one session's uncertain submissions.

    Args:
        gateway: the gateway.
        claims: remote directory in which jobs claim their submissions.
        cancel_queue: cancels jobs.
    """

    def __init__(self, gateway: Gateway, claims: str, cancel_queue: CancelQueue) -> None:
        self._gateway = gateway
        self._claims = claims
        self._cancel_queue = cancel_queue
        self._uncertain: set[Submission] = set()

    async def settle(self, submission: Submission) -> None:
        """Cancel the pending duplicates of a job that has ended.

        Call it before the job's end is reported: until then, no other test's job is in its directory. A
        duplicate that runs already ends by itself; cancelling it would add a message to its output.
        """
        if submission.doubtful is not None:
            self._uncertain.add(submission)
            await self._cancel_jobs([submission], PENDING)

    async def abandon(self, submission: Submission) -> None:
        """Keep all jobs from running a submission whose test has ended.

        A directory in place of the claim keeps all jobs out. If a job has made its claim before, the
        directory can't be created, and that job is cancelled.
        """
        if submission.doubtful is None:
            return
        self._uncertain.add(submission)
        try:
            await self._gateway.make_directory(f"{self._claims}/{submission.token}")
        except errors.GatewayError:
            await self._cancel_holder(submission)

    def unsettled(self) -> float:
        """Return the seconds for which a job of an uncertain submission may still be queued."""
        last = max((submission.last_doubt for submission in tuple(self._uncertain)), default=-LATEST_EFFECT)
        return max(last + LATEST_EFFECT - time.monotonic(), 0.0)

    async def finish(self) -> None:
        """Cancel all active jobs of uncertain submissions, at the end of the session."""
        if not self._uncertain:
            return
        await asyncio.sleep(self.unsettled())
        await self._cancel_jobs(self._uncertain)

    async def _cancel_holder(self, submission: Submission) -> None:
        try:
            claims = await self._gateway.list_directory(self._claims)
        except errors.GatewayError as error:
            _LOGGER.debug("a job may be running in %s: %s", submission.directory, error)
            return
        holder = read_claims(claims, submission.token, Markers(), prepares=False).holder
        if holder is not None:
            await self._cancel_queue.cancel(holder)

    async def _cancel_jobs(self, submissions: Collection[Submission], states: Collection[str] = ()) -> None:
        """Cancel the jobs of some submissions.

        Args:
            submissions: uncertain submissions.
            states: states of the jobs to cancel; by default, all states that are not final.
        """
        since = min(item.doubtful or time.time() for item in submissions)
        try:
            parts = await self._gateway.jobs(since, [item.name for item in submissions])
        except errors.GatewayError as error:
            _LOGGER.debug("submissions without an answer may have left jobs: %s", error)
            return
        active = [part for part in parts if (part.state in states if states else part.state not in ENDED)]
        job_ids = jobs_in(active, {item.directory for item in submissions})
        if job_ids:
            _LOGGER.debug("cancelling jobs that were queued more than once: %s", " ".join(sorted(job_ids)))
        await asyncio.gather(*map(self._cancel_queue.cancel, job_ids))


def jobs_in(parts: Iterable[JobPart], directories: Collection[str]) -> set[str]:
    """Return the ids of the jobs whose working directory is one of these."""
    return {part.base_id for part in parts if part.working_directory in directories}
