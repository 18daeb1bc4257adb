"""Reliability of the state that a list shows for an active job. Pure functions.

After a requeue and a cancellation, lists show a job as REQUEUED permanently, while a query for the job alone
returns CANCELLED at once (measured on FirecREST v2 and Slurm 22.05).
"""

from __future__ import annotations

from reframe_firecrest.model.slurm_states import ENDED, Observation

RELIABLE = frozenset({"CONFIGURING", "PENDING", "RUNNING"})
"""States that come from Slurm's queue, which has all active jobs."""

SOON = 10.0
"""Seconds after which any other state is confirmed by a query for the job alone."""

SELDOM = 1800.0
"""Seconds after which a reliable state is confirmed."""

LIMIT_GRACE = 30.0
"""Seconds beyond its time limit after which a running job's state is not reliable any more. Slurm kills the
processes 30 s after the limit (KillWait; slurm.conf(5))."""


def is_doubtful(observation: Observation) -> bool:
    """Return true if a job may have ended although a list shows it as active."""
    states = {state for state in (observation.state.state or "").split(",") if state not in ENDED}
    overdue = observation.remaining is not None and observation.remaining < -LIMIT_GRACE
    return not states <= RELIABLE or overdue


def confirm_after(observation: Observation) -> float:
    """Return the seconds between queries for a job alone while lists show it as active."""
    return SOON if is_doubtful(observation) else SELDOM
