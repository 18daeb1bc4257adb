"""Diagnose one system: open its gateway, run the checks, close it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from reframe_firecrest.commands.doctor.checklist import Check, run_checks
from reframe_firecrest.commands.doctor.context import CheckContext, DiagnosisTarget
from reframe_firecrest.commands.doctor.findings import Finding
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.protocol import Gateway, WaitForJob
from reframe_firecrest.session.registry import make_gateway
from reframe_firecrest.session.session import MakeGateway
from reframe_firecrest.session.standalone import run_on_loop, standalone_gateway
from reframe_firecrest.settings import Settings

RETRY_POLICY = RetryPolicy(first_contact=1.5, outage=5.0, refused=0.0)
"""A diagnosis reports an outage instead of waiting for its end."""

STOP_TIMEOUT = 15.0
"""Seconds for removing files and cancelling jobs after Ctrl-C."""


def _open_gateway(settings: Settings, wait_for_job: WaitForJob) -> Gateway:
    return make_gateway(settings, wait_for_job, RETRY_POLICY)


def diagnose(
    target: DiagnosisTarget,
    checks: Sequence[Check],
    *,
    timeout: float,
    notify: Callable[[str], None],
    open_gateway: MakeGateway = _open_gateway,
) -> list[tuple[str, Finding]]:
    """Run the checks of one system; return their names and findings.

    Args:
        target: the system.
        checks: the checks, in order.
        timeout: seconds to wait for each job.
        notify: called on another thread with the name of each check before it runs.
        open_gateway: factory of the gateway.
    """
    closed = threading.Event()

    async def work() -> list[tuple[str, Finding]]:
        try:
            async with standalone_gateway(target.settings, open_gateway) as (gateway, wait_for_job):
                return await run_checks(CheckContext(target, gateway, wait_for_job, timeout), checks, notify)
        finally:
            closed.set()

    try:
        return run_on_loop(work())
    except BaseException:
        closed.wait(STOP_TIMEOUT)
        raise
