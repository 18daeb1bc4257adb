"""When a job that is followed has ended, is lost or has failed, from what answers show or don't."""

from __future__ import annotations

import logging
import time

from reframe_firecrest.model import errors
from reframe_firecrest.model.job_shape import in_words
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import HELD_FOR_GOOD, Observation
from reframe_firecrest.session.followed import Followed
from reframe_firecrest.settings import Settings

WARN_AFTER = 15.0
"""Seconds for which questions for a job must have failed until users are warned."""

UNSETTLED = 10
"""Looks for which a job that has ended is followed on because Slurm has not told yet when it did."""

PREEMPTED = 120.0
"""Seconds that Slurm has to queue a job again that had to make way for another: first it gives its processes
time to end (GraceTime, KillWait)."""

OVERDUE = 600.0
"""Seconds beyond its time limit after which a running job counts as forgotten: sites may grant some minutes
(Slurm's OverTimeLimit), and nodes take some to clean up."""

_LOGGER = logging.getLogger(__name__)


class Verdicts:
    """Decides how jobs have ended.

    Args:
        settings: `retry_timeout` and `job_lost_timeout`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def miss(self, job: Followed) -> None:
        """Note that Slurm does not know a job; at some time it is lost."""
        job.unknown = job.unknown or job.asked
        since = time.monotonic() - job.unknown
        if since > self._settings.job_lost_timeout:
            self.lose(job, f"Slurm has not known job {job.job_id} for {since:.0f} s")

    def wait_for_missing(self, job: Followed, observation: Observation) -> None:
        """Note that all that Slurm reports of a job has ended, but is not all that there must be."""
        since = job.lacks(observation.missing)
        if since > self._settings.job_lost_timeout:
            kind = "task" if job.shape.is_array else "component"
            which = f"{kind}{'s' if len(observation.missing) > 1 else ''} {in_words(observation.missing)}"
            self.lose(job, f"Slurm has reported nothing about {which} of job {job.job_id} for {since:.0f} s")

    def bear_for(self, job: Followed, error: errors.GatewayError) -> None:
        """Go on in spite of an error for one job, unless it has lasted too long; lists may still show it."""
        lasted = job.fails()
        told = f"the gateway has not reported job {job.job_id} for {lasted:.0f} s, although it answers"
        if isinstance(error, errors.AuthError | errors.ForbiddenError):
            self.end(job, error)
        elif lasted > self._settings.retry_timeout and job.depends_on_answers:
            self.lose(job, f"{told}: {error}")
        elif lasted > WARN_AFTER and not job.warned:
            job.warned = True
            _LOGGER.warning("%s; retrying for up to %.0f s: %s", told, self._settings.retry_timeout, error)

    def note(self, job: Followed, parts: list[JobPart], observation: Observation, now: float) -> None:
        """Take what an answer shows of a job; `now` is when it was asked for, in seconds since the epoch."""
        job.seen = now
        job.unknown = job.lacking = None
        if observation.ended and not observation.settled and job.unsettled < UNSETTLED:
            # Its exit code can't be believed yet.
            job.unsettled += 1
            return
        if observation.state.state != job.state:
            job.state = observation.state.state
            job.since = time.monotonic()
        job.limit = observation.remaining
        job.notify(observation.state)
        if observation.ended:
            self.end(job, parts)
        elif observation.state.reason in HELD_FOR_GOOD:
            held = f"Slurm holds job {job.job_id} and will not start it again by itself"
            self.end(job, errors.JobHeldError(f"{held}: {observation.state.reason}"))
        elif observation.preempted and time.monotonic() - job.since > PREEMPTED:
            preempted = f"Slurm has preempted job {job.job_id} and not queued it again for {PREEMPTED:.0f} s"
            self.end(job, errors.JobHeldError(preempted))
        elif observation.remaining is not None:
            overdue = -observation.remaining
            if overdue > max(OVERDUE, self._settings.job_lost_timeout):
                shown = f"running {overdue:.0f} s after its time limit"
                self.lose(job, f"Slurm shows job {job.job_id} as {shown}")

    def lose(self, job: Followed, what: str) -> None:
        """End following a job whose end can't be known."""
        where = f"see sacct -j {job.job_id} on the system"
        self.end(job, errors.JobLostError(f"{what}: it is lost; whether it ran can't be told ({where})"))

    def end(self, job: Followed, outcome: list[JobPart] | Exception) -> None:
        """Hand over how a job has ended, or why it is not followed any more."""
        if job.ended.done():
            return
        if isinstance(outcome, Exception):
            job.ended.set_exception(outcome)
        else:
            job.ended.set_result(outcome)
