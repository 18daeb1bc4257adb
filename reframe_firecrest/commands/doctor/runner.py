"""Makes a diagnosis: opens the gateway, has it checked, closes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from reframe_firecrest.commands.doctor.checklist import Check, run_checks
from reframe_firecrest.commands.doctor.context import CheckContext, DiagnosisTarget
from reframe_firecrest.commands.doctor.findings import Finding
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.protocol import Gateway, GatewayConnection
from reframe_firecrest.model.job_follower import JobFollower
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.registry import connect
from reframe_firecrest.session.session import Connect
from reframe_firecrest.session.watcher import Watcher
from reframe_firecrest.settings import Settings

PATIENCE = RetryPolicy(first_contact=1.5, outage=5.0, refused=0.0)
"""A diagnosis says what is wrong; it does not wait until it is over."""

END_PATIENCE = 15.0
"""Seconds for what has to be removed and cancelled when the user gives up."""


def _connect(settings: Settings) -> GatewayConnection:
    return connect(settings, PATIENCE)


def _follow_jobs(gateway: Gateway, settings: Settings) -> JobFollower:
    return Watcher(gateway, settings, reactor())


def diagnose(
    target: DiagnosisTarget,
    checks: Sequence[Check],
    *,
    timeout: float,
    notify: Callable[[str], None],
    connect: Connect = _connect,
) -> list[tuple[str, Finding]]:
    """Make the checks of one system; return the names of the checks and what each found.

    Args:
        target: the system.
        checks: what to look at.
        timeout: seconds for which a job is waited for.
        notify: told of the check that is about to be made, on another thread.
        connect: makes the connection to the gateway.
    """
    over = threading.Event()

    async def work() -> list[tuple[str, Finding]]:
        connection = connect(target.settings)
        context = CheckContext(target, connection, _follow_jobs, timeout)
        try:
            return await run_checks(context, checks, notify)
        finally:
            await context.close()
            over.set()

    try:
        # Not on this thread: Ctrl-C in the middle of a loop leaves a trail of tasks that complain.
        return reactor().run(work(), threading.TIMEOUT_MAX)
    except BaseException:
        over.wait(END_PATIENCE)
        raise
