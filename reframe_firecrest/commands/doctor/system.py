"""How the system is set up, and what its gateway says of it."""

from __future__ import annotations

from collections.abc import Sequence

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, red, yellow
from reframe_firecrest.model.gateway_status import GatewayStatus, ServiceHealth, SystemHealth
from reframe_firecrest.model.units import format_size

STALE = 3
"""Intervals between the gateway's own checks of health after which the last one is too old."""

SMALL = 1_000_000
"""Bytes of a direct upload below which many a test's files don't go through at once."""


async def check_system(context: CheckContext) -> Finding:
    """Ask for the system."""
    system = await context.gateway.connect()
    context.max_direct = system.max_direct_upload
    major, *others = system.scheduler_version or ("not told",)
    # Slurm's versions are years and months.
    version = ".".join([str(major), *(f"{number:02}" for number in others[:1]), *map(str, others[1:])])
    return green(f"{system.name!r}, scheduler version {version}")


async def check_services(context: CheckContext) -> Finding:
    """Read what the gateway's own checks found.

    FirecREST refuses jobs and files with status 503 while the service for them is unhealthy; an unhealthy
    file system affects the paths below it (``firecrest/dependencies.py`` of FirecREST v2.5).
    """
    health = context.health
    ill = [service for service in health.services if not service.healthy]
    if ill:
        told = "; ".join(f"{_name(service)}: {service.message or 'no reason given'}" for service in ill)
        wait = f"; it looks again every {health.interval:.0f} s" if health.interval else ""
        if any(_is_needed(service, context.settings.basedir) for service in ill):
            return red(f"unhealthy by the gateway's own check: {told}", f"tell the site, or wait{wait}")
        return yellow(f"unhealthy by the gateway's own check: {told}", f"tell the site{wait}")
    age = _age(health, context.statuses[-1])
    if health.interval and age is not None and age > STALE * health.interval:
        return yellow(
            f"the gateway looked at them {age:.0f} s ago, although it should every {health.interval:.0f} s",
            "tell the site that its health check does not run",
        )
    if not health.services:
        return green("the gateway does not look at their health")
    return green(f"healthy: {_names(health.services)}")


def _is_needed(service: ServiceHealth, basedir: str) -> bool:
    if service.path is not None:
        return f"{basedir}/".startswith(f"{service.path.rstrip('/')}/")
    return service.kind in ("scheduler", "ssh", "filesystem")


def _name(service: ServiceHealth) -> str:
    return f"{service.kind} {service.path}" if service.path else service.kind


def _names(services: Sequence[ServiceHealth]) -> str:
    return ", ".join(_name(service) for service in services)


def _age(health: SystemHealth, look: GatewayStatus) -> float | None:
    # Both by the gateway's clock, if it tells: ours may be wrong.
    now = look.sent if look.date is None else look.date
    return None if health.checked is None else now - health.checked


async def check_account(context: CheckContext) -> Finding:
    """See whether jobs can be charged."""
    accounts = await context.gateway.accounts()
    wanted = context.settings.account
    names = ", ".join(account.name for account in accounts)
    if not accounts:
        return green("the system does not tell of accounts")
    if wanted and all(account.name != wanted for account in accounts):
        return red(f"{wanted!r} is none of yours, which are: {names}", "set FIRECREST_ACCOUNT to one of them")
    if wanted:
        return green(f"{wanted!r}")
    default = next((account.name for account in accounts if account.default), None)
    if default is None:
        return yellow(
            f"none is set, and Slurm knows no default among yours: {names}",
            "set FIRECREST_ACCOUNT to one of them, or --account in the partitions' access options",
        )
    return green(f"Slurm's default, {default!r}")


async def check_limits(context: CheckContext) -> Finding:
    """Read how large a direct upload may be."""
    told = context.health.max_direct_upload
    limit = format_size(context.max_direct)
    if told is None:
        return green(f"not told; {limit} are taken for the limit of a direct upload")
    if told < SMALL:
        return yellow(
            f"only up to {limit} go through the gateway at once; what is larger waits in the queue as a job",
            "ask the site for a larger max_ops_file_size, or expect tests to start later",
        )
    return green(f"up to {limit} go through the gateway at once; more goes by S3")
