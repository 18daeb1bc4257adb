"""Checks of the system, its services and its accounts, as the gateway reports them."""

from __future__ import annotations

from collections.abc import Sequence

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, red, yellow
from reframe_firecrest.model.capabilities import Capabilities, TransferMethod
from reframe_firecrest.model.gateway_status import GatewayStatus, ServiceHealth, SystemHealth
from reframe_firecrest.model.limitations import missing_account, scripts_without_directives
from reframe_firecrest.model.suggestion import did_you_mean
from reframe_firecrest.model.system import AccountInfo
from reframe_firecrest.model.units import format_duration, format_size
from reframe_firecrest.session.large_inputs import largest_in_parts

STALE = 3
"""Intervals of the gateway's health checks after which the last check is too old."""

SMALL = 1_000_000
"""Limit of a direct upload, in bytes, that the files of many tests exceed."""


async def check_system(context: CheckContext) -> Finding:
    """Request the system's description."""
    system = await context.gateway.connect()
    context.capabilities = system.capabilities
    major, *others = system.capabilities.scheduler_version or ("unknown",)
    # Versions of Slurm are years and months, such as 23.02.
    version = ".".join([str(major), *(f"{number:02}" for number in others[:1]), *map(str, others[1:])])
    detail = f"{system.name!r}, scheduler version {version}"
    limitation = scripts_without_directives(system.capabilities)
    return yellow(f"{detail}; {limitation.problem}", limitation.remedy) if limitation else green(detail)


async def check_services(context: CheckContext) -> Finding:
    """Read the results of the gateway's health checks.

    FirecREST answers requests for jobs and files with status 503 while the service is unhealthy; an
    unhealthy file system affects the paths below it (``firecrest/dependencies.py`` of FirecREST v2.5).
    """
    health = context.health
    unhealthy = [service for service in health.services if not service.healthy]
    if unhealthy:
        reasons = "; ".join(
            f"{_name(service)}: {service.message or 'no reason given'}" for service in unhealthy
        )
        wait = (
            f"; the interval of its checks is {format_duration(health.interval)}" if health.interval else ""
        )
        if any(_is_needed(service, context.settings.basedir) for service in unhealthy):
            return red(f"unhealthy by the gateway's health check: {reasons}", f"tell the site, or wait{wait}")
        return yellow(f"unhealthy by the gateway's health check: {reasons}", f"tell the site{wait}")
    age = _age(health, context.statuses[-1])
    if health.interval and age is not None and age > STALE * health.interval:
        return yellow(
            f"the gateway's last health check was {format_duration(age)} ago; its interval is "
            f"{format_duration(health.interval)}",
            "tell the site that its health checks do not run",
        )
    if not health.services:
        return green("the gateway reports no health checks")
    return green(f"healthy: {_names(health.services)}")


def _is_needed(service: ServiceHealth, basedir: str) -> bool:
    if service.path is not None:
        return f"{basedir}/".startswith(f"{service.path.rstrip('/')}/")
    return service.kind in ("scheduler", "ssh", "filesystem")


def _name(service: ServiceHealth) -> str:
    return f"{service.kind} {service.path}" if service.path else service.kind


def _names(services: Sequence[ServiceHealth]) -> str:
    return ", ".join(_name(service) for service in services)


def _age(health: SystemHealth, status: GatewayStatus) -> float | None:
    # Both times are by the gateway's clock if it reports the time: this machine's may be wrong.
    now = status.sent if status.date is None else status.date
    return None if health.checked is None else now - health.checked


async def check_account(context: CheckContext) -> Finding:
    """Check that there is an account to charge, for transfer jobs too."""
    if context.transfer_account:
        context.gateway.charge_transfers_to(context.transfer_account)
    elif limitation := missing_account(context.capabilities, None):
        return yellow(limitation.problem, limitation.remedy)
    accounts = await context.gateway.accounts()
    if not accounts:
        return green("the system reports no accounts")
    yours = ", ".join(account.name for account in accounts)
    chosen = context.accounts
    known = {account.name for account in accounts}
    wrong = next((name for name in chosen if name is not None and name not in known), None)
    if wrong is not None:
        similar = did_you_mean(wrong, known)
        return red(
            f"account {wrong!r} is not yours; yours: {yours}{similar}", f"set {chosen[wrong]} to one of them"
        )
    if None in chosen:
        return _default_account(accounts, yours)
    return green(", ".join(f"{name!r}, from {place}" for name, place in chosen.items()))


def _default_account(accounts: Sequence[AccountInfo], yours: str) -> Finding:
    default = next((account.name for account in accounts if account.default), None)
    if default is None:
        return yellow(
            f"no account is set, and Slurm has no default; yours: {yours}",
            "set FIRECREST_ACCOUNT to one of them, or --account in the partitions' access options",
        )
    return green(f"Slurm's default, {default!r}")


async def check_limits(context: CheckContext) -> Finding:
    """Read the limit of direct uploads."""
    reported = context.health.max_direct_upload
    limit = format_size(context.capabilities.max_direct_upload)
    larger = _larger(context.capabilities, context.settings.direct_upload_max)
    if reported is None:
        return green(f"one request is assumed to take {limit}, as the gateway reports no limit; {larger}")
    if reported < SMALL:
        return yellow(
            f"one request takes only {limit}; {larger}",
            "ask the site for a larger max_ops_file_size; otherwise larger files take longer",
        )
    return green(f"one request takes {limit}; {larger}")


def _larger(capabilities: Capabilities, maximum: int) -> str:
    """Return how files travel that are too large for one request."""
    in_parts = largest_in_parts(capabilities, maximum)
    if capabilities.transfer is not TransferMethod.S3:
        return f"inputs of up to {format_size(in_parts)} travel in parts; a job splits larger outputs"
    if in_parts <= capabilities.max_direct_upload:
        return "larger files travel by S3"
    return f"inputs of up to {format_size(in_parts)} travel in parts, larger files by S3"
