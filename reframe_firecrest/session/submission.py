"""Submission of a job, effectively once even if the answer is lost.

The script on the system runs for one job only (see `staging.prologue`), so it may be submitted again when it
is unknown whether a submission took effect. It remains to find the job that runs it, and to cancel the others
(see `session.duplicates`).
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
from reframe_firecrest.model.units import format_duration

_LOGGER = logging.getLogger(__name__)

SEARCH_PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each search for a job whose submission is uncertain."""

RESUBMIT_PAUSES = (1.0, 2.0, 3.0)
"""Seconds before a refused submission is repeated; the pauses are repeated as well."""

SEARCH_RETRY_PAUSE = 5.0
"""Seconds before a failed search is repeated."""

ATTEMPTS = 3
"""Number of submissions after which a job fails if none of them has left a job, without those in outages."""


@dataclass(eq=False)
class Submission:
    """A script that is submitted, and the jobs that result from it.

    Attributes:
        token: token of the submission; the script contains it.
        script: remote path of the script.
        directory: the job's working directory.
        name: the job's name.
        doubtful: time of the first request that may have queued an unknown job, in seconds since the epoch;
            None if all outcomes are known.
        last_doubt: time of the last such request, by the monotonic clock.
        jobs: ids of jobs that are known to result from it.
    """

    token: str
    script: str
    directory: str
    name: str
    doubtful: float | None = None
    last_doubt: float = 0.0
    jobs: set[str] = field(default_factory=set)

    def doubt(self, requested: float) -> None:
        """Note that a request may have queued a job.

        Args:
            requested: time of the request, in seconds since the epoch.
        """
        if self.doubtful is None:
            self.doubtful = requested
        self.last_doubt = time.monotonic()


class Submitter:
    """Submits jobs.

    Args:
        gateway: the gateway.
        retry_timeout: seconds for which failed searches and submissions are repeated.
    """

    def __init__(self, gateway: Gateway, retry_timeout: float) -> None:
        self._gateway = gateway
        self._retry_timeout = retry_timeout
        # Ids alone are not unique: a controller that has lost its state gives them to other jobs.
        self._known: set[tuple[str, str]] = set()

    async def submit(
        self, submission: Submission, account: str | None, resubmit_on: Sequence[str] = ()
    ) -> str:
        """Submit a script; return the job's id.

        A submission that is refused with an error that `resubmit_on` matches is repeated until it succeeds,
        like in ReFrame's `slurm` backend (``resubmit_on_errors``).

        Raises:
            GatewayError: it was refused, or left no job. If the submission is doubtful, a job may still
            exist.
        """
        for pause in itertools.cycle(RESUBMIT_PAUSES):
            try:
                return await self._submit_once(submission, account)
            except errors.RejectedError as error:
                if not any(re.search(pattern, error.detail) for pattern in resubmit_on):
                    raise
                _LOGGER.warning("submission refused; retrying in %s: %s", format_duration(pause), error)
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: the cycle has no end")

    async def find(self, submission: Submission) -> str | None:
        """Search for an unknown job of a doubtful submission; return its id, or None."""
        for pause in SEARCH_PAUSES:
            await asyncio.sleep(pause)
            found = [
                job_id
                for job_id in await self._search(submission) or ()
                if (job_id, submission.directory) not in self._known
            ]
            for job_id in found:
                self.note(submission, job_id)
            if found:
                return found[0]
        return None

    def note(self, submission: Submission, job_id: str) -> None:
        """Note that a job results from a submission, and so from no other one."""
        submission.jobs.add(job_id)
        self._known.add((job_id, submission.directory))

    async def _submit_once(self, submission: Submission, account: str | None) -> str:
        """Submit a script, effectively once.

        If the outcome is uncertain, the job is searched for by its script or its working directory, which no
        other run uses. If none is found, the script is submitted again: only one of the jobs runs it.
        """
        begun, attempts = time.monotonic(), 0
        while True:
            requested = clock()
            try:
                job_id = await self._gateway.submit(submission.script, submission.directory, account)
            except errors.UncertainError as error:
                submission.doubt(requested)
                _LOGGER.warning(
                    "the answer to a submission was lost; looking for the job in %s: %s",
                    submission.directory,
                    error,
                )
                # While Slurm's controller is down, no attempt leaves a job.
                attempts += not isinstance(error, errors.OutageError)
                give_up = attempts == ATTEMPTS or time.monotonic() - begun > self._retry_timeout
                failure: errors.GatewayError | None = error if give_up else None
            except errors.RejectedError as error:
                if submission.doubtful is None:
                    raise
                # An earlier request may have queued a job, which may be the reason for this refusal.
                failure = error
            else:
                self.note(submission, job_id)
                return job_id
            found = await self.find(submission)
            if found is not None:
                return found
            if failure is not None:
                raise failure

    async def _search(self, submission: Submission) -> Sequence[str] | None:
        """Search for the jobs of a submission until the gateway answers."""
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
                if time.monotonic() - begun > self._retry_timeout:
                    raise
                await asyncio.sleep(SEARCH_RETRY_PAUSE)
