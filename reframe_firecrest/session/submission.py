"""Submits a job exactly once in effect, also when the answer is lost.

The script on the system runs for one job only (see `staging.prologue`), so it may be submitted again whenever
it is open whether a submission took effect. What is left is to find out which job that is, and to remove the
others: `session.duplicates`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock

_LOGGER = logging.getLogger(__name__)

SEARCH_PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each look for a job whose submission is uncertain."""

RESUBMIT_PAUSES = (1.0, 2.0, 3.0)
"""Seconds before a refused submission is repeated, over and over."""

ATTEMPTS = 3
"""Submissions of one job, each of which was found to have left nothing, outages not counted."""


@dataclass(eq=False)
class Submission:
    """One script that is submitted, and the jobs that came from it.

    Attributes:
        token: its name, which the script has too.
        script: path of the script.
        directory: its job's working directory.
        name: its job's name.
        doubtful: seconds since the epoch of the first request that may have queued a job unseen; None as long
            as there is none.
        last: the same of the last one, by the monotonic clock.
        jobs: ids of jobs that are known to come from it.
    """

    token: str
    script: str
    directory: str
    name: str
    doubtful: float | None = None
    last: float = 0.0
    jobs: set[str] = field(default_factory=set)

    def doubt(self, asked: float) -> None:
        """Note that a request may have queued a job.

        Args:
            asked: when it was made, in seconds since the epoch.
        """
        if self.doubtful is None:
            self.doubtful = asked
        self.last = time.monotonic()


class Submitter:
    """Submits jobs and remembers their ids.

    Args:
        gateway: where to.
        outage: seconds for which a gateway that can't tell is asked again.
    """

    def __init__(self, gateway: Gateway, outage: float) -> None:
        self._gateway = gateway
        self._outage = outage
        # An id alone is not enough: a controller that forgets jobs gives theirs to others.
        self._known: set[tuple[str, str]] = set()

    async def submit(
        self, submission: Submission, account: str | None, resubmit_on: Sequence[str] = ()
    ) -> str:
        """Submit a script; returns the job's id.

        A refusal that one of the expressions in `resubmit_on` matches is repeated until it is not, like
        ReFrame's `slurm` backend does with ``resubmit_on_errors``.

        Raises:
            GatewayError: it was refused, or nothing came of it. If the submission is doubtful, there may be a
                job all the same.
        """
        for pause in itertools.cycle(RESUBMIT_PAUSES):
            try:
                return await self._submit_once(submission, account)
            except errors.RejectedError as error:
                if not any(re.search(pattern, error.detail) for pattern in resubmit_on):
                    raise
                _LOGGER.warning("will submit again in %.0f s: %s", pause, error)
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: the cycle has no end")

    async def find(self, submission: Submission) -> str | None:
        """Look for a job of a doubtful submission that is not known yet; returns its id."""
        for pause in SEARCH_PAUSES:
            await asyncio.sleep(pause)
            found = [
                job_id
                for job_id in await self._look(submission) or ()
                if (job_id, submission.directory) not in self._known
            ]
            for job_id in found:
                self.note(submission, job_id)
            if found:
                return found[0]
        return None

    def note(self, submission: Submission, job_id: str) -> None:
        """Note that a job comes from a submission, and so from no other one."""
        submission.jobs.add(job_id)
        self._known.add((job_id, submission.directory))

    async def _submit_once(self, submission: Submission, account: str | None) -> str:
        """Submit a script, once in effect.

        When the answer is uncertain, the job is looked for, by its script or its working directory, which no
        other run uses. If none shows, the script is submitted again: of two jobs only one runs it.
        """
        begun, attempts = time.monotonic(), 0
        while True:
            asked = clock()
            try:
                job_id = await self._gateway.submit(submission.script, submission.directory, account)
            except errors.UncertainError as error:
                submission.doubt(asked)
                _LOGGER.warning(
                    "the answer to a submission was lost; looking for the job in %s: %s",
                    submission.directory,
                    error,
                )
                # While Slurm's controller is away, each attempt leaves nothing.
                attempts += not isinstance(error, errors.OutageError)
                enough = attempts == ATTEMPTS or time.monotonic() - begun > self._outage
                failure: errors.GatewayError | None = error if enough else None
            except errors.RejectedError as error:
                if submission.doubtful is None:
                    raise
                # An earlier request may have queued a job, and that may be why this one is refused.
                failure = error
            else:
                self.note(submission, job_id)
                return job_id
            found = await self.find(submission)
            if found is not None:
                return found
            if failure is not None:
                raise failure

    async def _look(self, submission: Submission) -> Sequence[str] | None:
        """Look for jobs, until the gateway answers."""
        begun = time.monotonic()
        while True:
            try:
                return await self._gateway.find(
                    submission.script,
                    submission.directory,
                    submission.name,
                    submission.doubtful or time.time(),
                )
            except errors.FinalError:
                raise
            except errors.GatewayError:
                if time.monotonic() - begun > self._outage:
                    raise
                await asyncio.sleep(5.0)
