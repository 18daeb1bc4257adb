"""Diagnose one system: open its gateway, run the checks, close it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from reframe_firecrest.commands.doctor.checklist import Check, run_checks
from reframe_firecrest.commands.doctor.context import CheckContext, DiagnosisTarget
from reframe_firecrest.commands.doctor.findings import Finding
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.protocol import GatewayConnection
from reframe_firecrest.session.registry import connect
from reframe_firecrest.session.session import Connect
from reframe_firecrest.session.standalone import run_on_loop, standalone_connection
from reframe_firecrest.settings import Settings

RETRY_POLICY = RetryPolicy(first_contact=1.5, outage=5.0, refused=0.0)
"""A diagnosis reports an outage instead of waiting for its end."""

STOP_TIMEOUT = 15.0
"""Seconds for removing files and cancelling jobs after Ctrl-C."""


def _connect(settings: Settings) -> GatewayConnection:
    return connect(settings, RETRY_POLICY)


def diagnose(
    target: DiagnosisTarget,
    checks: Sequence[Check],
    *,
    timeout: float,
    notify: Callable[[str], None],
    connect: Connect = _connect,
) -> list[tuple[str, Finding]]:
    """Run the checks of one system; return their names and findings.

    Args:
        target: the system.
        checks: the checks, in order.
        timeout: seconds to wait for each job.
        notify: called on another thread with the name of each check before it runs.
        connect: makes the connection to the gateway.
    """
    closed = threading.Event()

    async def work() -> list[tuple[str, Finding]]:
        try:
            async with standalone_connection(target.settings, connect) as connection:
                return await run_checks(CheckContext(target, connection, timeout), checks, notify)
        finally:
            closed.set()

    try:
        return run_on_loop(work())
    except BaseException:
        closed.wait(STOP_TIMEOUT)
        raise
