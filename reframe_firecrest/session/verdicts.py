"""Decides when a followed job has ended, is lost or has failed."""

from __future__ import annotations

import logging
import time

from reframe_firecrest.model import errors
from reframe_firecrest.model.job_shape import in_words
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import HELD_FOR_GOOD, Observation
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.session.followed_job import FollowedJob
from reframe_firecrest.settings import Settings

_LOGGER = logging.getLogger(__name__)

WARN_AFTER = 15.0
"""Seconds of failed single queries after which users are warned."""

UNSETTLED_CHECKS = 10
"""Checks for which a job that has ended is followed on because Slurm has not reported the time of its end."""

PREEMPTED_TIMEOUT = 120.0
"""Seconds within which Slurm requeues a preempted job. First its processes get time to end (GraceTime and
KillWait; slurm.conf(5))."""

OVERDUE = 600.0
"""Seconds beyond its time limit after which Slurm has forgotten a running job: sites may grant some minutes
(OverTimeLimit; slurm.conf(5)), and nodes need some to clean up."""


class Verdicts:
    """Ends jobs.

    Args:
        settings: `retry_timeout` and `job_lost_timeout` are used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def unknown(self, job: FollowedJob) -> None:
        """Note that Slurm does not know a job; it is lost after a timeout."""
        job.unknown_since = job.unknown_since or job.queried_at
        seconds = time.monotonic() - job.unknown_since
        if seconds > self._settings.job_lost_timeout:
            self.lose(job, f"Slurm has not known job {job.job_id} for {format_duration(seconds)}")

    def parts_missing(self, job: FollowedJob, observation: Observation) -> None:
        """Note that all reported parts of a job have ended, but expected ones are missing."""
        missing = observation.missing
        seconds = job.note_missing(missing)
        if seconds > self._settings.job_lost_timeout:
            kind = "task" if job.shape.is_array else "component"
            which = f"{kind}{'s' if len(missing) > 1 else ''} {in_words(missing)}"
            self.lose(
                job,
                f"Slurm has reported nothing about {which} of job {job.job_id} for "
                f"{format_duration(seconds)}",
            )

    def query_failed(self, job: FollowedJob, error: errors.GatewayError) -> None:
        """Note a failed single query; the job is lost after a timeout unless lists show its state."""
        seconds = job.query_failed()
        problem = (
            f"the gateway has not reported job {job.job_id} for {format_duration(seconds)}, although "
            "it answers"
        )
        if isinstance(error, errors.AuthError | errors.ForbiddenError):
            self.end(job, error)
        elif isinstance(error, errors.TooLargeError) and job.depends_on_queries:
            # The answer does not get shorter.
            self.end(job, error)
        elif seconds > self._settings.retry_timeout and job.depends_on_queries:
            self.lose(job, f"{problem}: {error}")
        elif seconds > WARN_AFTER and not job.warned:
            job.warned = True
            timeout = self._settings.retry_timeout
            _LOGGER.warning("%s; retrying for up to %s: %s", problem, format_duration(timeout), error)

    def observed(self, job: FollowedJob, parts: list[JobPart], observation: Observation, now: float) -> None:
        """Take what Slurm reports of a job.

        Args:
            job: the job.
            parts: its parts.
            observation: the same, combined.
            now: time of the request, in seconds since the epoch.
        """
        job.seen_at = now
        job.unknown_since = job.missing_since = None
        if observation.ended and not observation.settled and job.unsettled < UNSETTLED_CHECKS:
            # Its exit code is not reliable yet.
            job.unsettled += 1
            return
        if observation.state.state != job.state:
            job.state = observation.state.state
            job.state_since = time.monotonic()
        job.remaining = observation.remaining
        job.notify(observation.state)
        if observation.ended:
            self.end(job, parts)
        else:
            self._end_if_hopeless(job, observation)

    def _end_if_hopeless(self, job: FollowedJob, observation: Observation) -> None:
        """End a job that Slurm will neither start nor end."""
        reason, overdue = observation.state.reason, -(observation.remaining or 0.0)
        if reason in HELD_FOR_GOOD:
            held = f"Slurm holds job {job.job_id} and will not start it again by itself: {reason}"
            self.end(job, errors.JobHeldError(held))
        elif observation.preempted and time.monotonic() - job.state_since > PREEMPTED_TIMEOUT:
            waited = PREEMPTED_TIMEOUT
            preempted = (
                f"Slurm has preempted job {job.job_id} and not queued it again for {format_duration(waited)}"
            )
            self.end(job, errors.JobHeldError(preempted))
        elif overdue > max(OVERDUE, self._settings.job_lost_timeout):
            late = f"running {format_duration(overdue)} after its time limit"
            self.lose(job, f"Slurm shows job {job.job_id} as {late}")

    def lose(self, job: FollowedJob, reason: str) -> None:
        """Stop following a job whose end can't be determined."""
        hint = f"see sacct -j {job.job_id} on the system"
        self.end(job, errors.JobLostError(f"{reason}: it is lost; whether it ran is unknown ({hint})"))

    def end(self, job: FollowedJob, outcome: list[JobPart] | Exception) -> None:
        """Stop following a job.

        Args:
            job: the job.
            outcome: its parts, or the reason for which it is not followed any more.
        """
        if job.ended.done():
            return
        if isinstance(outcome, Exception):
            job.ended.set_exception(outcome)
        else:
            job.ended.set_result(outcome)
