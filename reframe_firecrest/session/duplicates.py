"""Removes jobs that submissions without an answer have left beside the one that counts.

Such a job does no harm: it ends before it touches anything. But it waits in the queue, and it may be charged.
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
    """The doubtful submissions of one session.

    Args:
        gateway: the way there.
        claims: remote directory of claims.
        cancels: cancels jobs.
    """

    def __init__(self, gateway: Gateway, claims: str, cancels: CancelQueue) -> None:
        self._gateway = gateway
        self._claims = claims
        self._cancel_queue = cancels
        self._doubtful: set[Submission] = set()

    async def settle(self, submission: Submission) -> None:
        """Cancel what waits beside a job that has ended.

        It must be called before the job's end is reported: until then no other job is meant to be in its
        directory. A duplicate that runs already ends by itself, and to cancel it would write into its output.
        """
        if submission.doubtful is not None:
            self._doubtful.add(submission)
            await self._sweep([submission], PENDING)

    async def abandon(self, submission: Submission) -> None:
        """Let no job run a submission any more, because its outcome is of no interest.

        A directory in the place of the claim keeps all jobs out. It can't be made where a job was sooner;
        that one is cancelled.
        """
        if submission.doubtful is None:
            return
        self._doubtful.add(submission)
        try:
            await self._gateway.make_directory(f"{self._claims}/{submission.token}")
        except errors.GatewayError:
            await self._cancel_holder(submission)

    def unsettled(self) -> float:
        """Return the seconds for which a job of a doubtful submission may still be queued."""
        last = max((submission.last for submission in tuple(self._doubtful)), default=-LATEST_EFFECT)
        return max(last + LATEST_EFFECT - time.monotonic(), 0.0)

    async def finish(self) -> None:
        """Cancel all jobs of doubtful submissions that have not ended, since the session does."""
        if not self._doubtful:
            return
        await asyncio.sleep(self.unsettled())
        await self._sweep(self._doubtful)

    async def _cancel_holder(self, submission: Submission) -> None:
        try:
            claims = await self._gateway.list_directory(self._claims)
        except errors.GatewayError as error:
            _LOGGER.debug("a job may be running in %s: %s", submission.directory, error)
            return
        holder = read_claims(claims, submission.token, Markers(), prepares=False).holder
        if holder is not None:
            await self._cancel_queue.cancel(holder)

    async def _sweep(self, submissions: Collection[Submission], states: Collection[str] = ()) -> None:
        """Cancel jobs of submissions.

        Args:
            submissions: doubtful ones.
            states: states that a job must be in; any but final ones by default.
        """
        since = min(item.doubtful or time.time() for item in submissions)
        try:
            parts = await self._gateway.jobs(since, [item.name for item in submissions])
        except errors.GatewayError as error:
            _LOGGER.debug("jobs may be left of submissions without an answer: %s", error)
            return
        going = [part for part in parts if (part.state in states if states else part.state not in ENDED)]
        found = jobs_in(going, {item.directory for item in submissions})
        if found:
            _LOGGER.debug("cancelling jobs that were queued more than once: %s", " ".join(sorted(found)))
        await asyncio.gather(*map(self._cancel_queue.cancel, found))


def jobs_in(parts: Iterable[JobPart], directories: Collection[str]) -> set[str]:
    """Return the ids of the jobs that work in one of some directories."""
    return {part.base_id for part in parts if part.working_directory in directories}
