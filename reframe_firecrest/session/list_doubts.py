"""When a list's word on a job that goes on is not to be relied on. Pure functions.

After a requeue and a cancellation, lists show a job as REQUEUED for good, while a question for that job alone
is answered with CANCELLED at once (measured on FirecREST v2 and Slurm 22.05).
"""

from __future__ import annotations

from reframe_firecrest.model.slurm_states import ENDED, Observation

RELIABLE = frozenset({"CONFIGURING", "PENDING", "RUNNING"})
"""States that Slurm's queue gives, which always has what goes on."""

SOON = 10.0
"""Seconds after which another state is confirmed by a question for the job alone."""

SELDOM = 1800.0
"""Seconds after which a reliable state is confirmed."""

LIMIT_GRACE = 30.0
"""Seconds beyond its time limit after which a running job's state is not reliable any more: Slurm kills
what goes on 30 s after the limit (its KillWait)."""


def is_doubtful(observation: Observation) -> bool:
    """Tell whether a job may have ended although a list shows that it goes on."""
    states = {state for state in (observation.state.state or "").split(",") if state not in ENDED}
    overdue = observation.remaining is not None and observation.remaining < -LIMIT_GRACE
    return not states <= RELIABLE or overdue


def confirm_after(observation: Observation) -> float:
    """Return the seconds between questions for a job alone, while lists show that it goes on."""
    return SOON if is_doubtful(observation) else SELDOM
