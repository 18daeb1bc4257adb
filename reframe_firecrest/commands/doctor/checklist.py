"""The checks, their order and their dependencies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from reframe_firecrest.commands.doctor.access import check_gateway, check_settings, check_token
from reframe_firecrest.commands.doctor.context import CheckContext, DiagnosisTarget
from reframe_firecrest.commands.doctor.files import check_base_directory, check_storage, check_transfer
from reframe_firecrest.commands.doctor.findings import Finding, Status, of_error, red, skipped
from reframe_firecrest.commands.doctor.jobs import check_job
from reframe_firecrest.commands.doctor.modules import check_modules
from reframe_firecrest.commands.doctor.system import check_account, check_limits, check_services, check_system
from reframe_firecrest.commands.doctor.timing import check_clock, check_latency
from reframe_firecrest.model.errors import FirecrestError
from reframe_firecrest.model.units import format_duration

LIMIT = 120.0
"""Seconds for one check, in addition to the time to wait for a job."""


@dataclass(frozen=True)
class Check:
    """One check, which is one line of the output.

    Attributes:
        name: its name in the output.
        run: the check itself.
        needs: names of checks that must not have failed.
        remedy: advice if an error contains none.
    """

    name: str
    run: Callable[[CheckContext], Awaitable[Finding]]
    needs: tuple[str, ...]
    remedy: str


CHECKS = (
    Check("settings", check_settings, (), "correct it there"),
    Check(
        "token",
        check_token,
        ("settings",),
        "check AUTH_TOKEN_URL, and whether the identity provider is up or overloaded",
    ),
    Check("gateway", check_gateway, ("token",), "check FIRECREST_URL, or ask the site whether it is up"),
    Check("system", check_system, ("gateway",), "check FIRECREST_SYSTEM"),
    Check("services", check_services, ("system",), "ask the site"),
    Check("account", check_account, ("services",), "ask the site whether you have an account on the system"),
    Check(
        "base directory",
        check_base_directory,
        ("services",),
        "set FIRECREST_BASEDIR to a directory that you can write to, and check your quota",
    ),
    Check("limits", check_limits, ("system",), "ask the site"),
    Check(
        "storage",
        check_storage,
        ("system",),
        "ask the site whether its storage can be reached from here; large transfers fail otherwise",
    ),
    Check("latency", check_latency, ("gateway",), "ask the site whether the gateway is overloaded"),
    Check("clock", check_clock, ("gateway",), "set this machine's clock"),
)
"""Checks of every diagnosis, in this order."""

MODULES = Check("modules", check_modules, ("settings",), "run `reframe-firecrest detect --modules`")
"""Check of a configuration's snapshots."""

TRANSFER = Check(
    "transfer",
    check_transfer,
    ("base directory", "account"),
    "ask the site whether transfers by S3 work, and whether the storage can be reached from here",
)


def checks_of(target: DiagnosisTarget, *, transfer: bool, job: bool) -> Sequence[Check]:
    """Return the checks of a diagnosis.

    Args:
        target: the system.
        transfer: include the transfer of a large file, which takes two jobs.
        job: include a job in each partition.
    """
    checks = list(CHECKS)
    if target.config is not None:
        checks.append(MODULES)
    if transfer:
        checks.append(TRANSFER)
    if job:
        checks += [
            Check(
                f"job {name}".strip(),
                partial(check_job, options=options),
                ("base directory", "account"),
                "check the account and the partition's access options",
            )
            for name, options in target.partitions.items()
        ]
    return checks


async def run_checks(
    context: CheckContext, checks: Sequence[Check], notify: Callable[[str], None]
) -> list[tuple[str, Finding]]:
    """Run checks one after the other; return their names and findings.

    Args:
        context: their input.
        checks: each one after those that it needs.
        notify: called with the name of each check before it runs.
    """
    findings: dict[str, Finding] = {}
    for check in checks:
        failed = next((name for name in check.needs if findings[name].status in _FAILED), None)
        if failed is not None:
            cause = findings[failed]
            findings[check.name] = cause if cause.status is Status.SKIPPED else skipped(f"needs: {failed}")
            continue
        notify(check.name)
        limit = LIMIT + 2 * context.timeout
        try:
            findings[check.name] = await asyncio.wait_for(check.run(context), limit)
        except asyncio.TimeoutError:
            findings[check.name] = red(
                f"the check did not finish within {format_duration(limit)}", check.remedy
            )
        except FirecrestError as error:
            findings[check.name] = of_error(error, check.remedy)
    return list(findings.items())


_FAILED = (Status.RED, Status.SKIPPED)


def without_settings(error: FirecrestError) -> list[tuple[str, Finding]]:
    """Return the findings, as those of `run_checks`, if the settings can't be used."""
    first, *others = CHECKS
    return [
        (first.name, of_error(error, first.remedy)),
        *((check.name, skipped(f"needs: {first.name}")) for check in others),
    ]
