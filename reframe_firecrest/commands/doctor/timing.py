"""Checks of the gateway's latency and its clock."""

from __future__ import annotations

from statistics import median

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, red, skipped, yellow
from reframe_firecrest.model.units import format_duration

SAMPLES = 10
SLOW = 0.4
"""Seconds for a request that needs no work, so that most of the time is network latency."""

DELAYED = 2.0
"""Seconds of apparent skew between equal clocks: servers update the date of their answers once a second, or
less often when they are busy."""

SKEWED = 30.0
"""Seconds of skew that the renewal of tokens tolerates: tokens are renewed 60 s before their end, and
FirecREST refuses them from 30 s before it."""

FAR_OFF = 600.0
"""Seconds of skew that lists of jobs tolerate: they are requested from a time by this machine's clock, with a
margin of 10 minutes."""


async def check_latency(context: CheckContext) -> Finding:
    """Measure the time of ten cheap requests, one after the other."""
    statuses = [await context.gateway.status() for _ in range(SAMPLES)]
    context.statuses += statuses
    times = [status.seconds * 1000 for status in statuses]
    detail = f"{median(times):.0f} ms, the median of {SAMPLES} ({min(times):.0f} to {max(times):.0f} ms)"
    if median(times) > SLOW * 1000:
        return yellow(
            detail,
            "run ReFrame on a machine nearer to the gateway, or ask the site; tests take longer",
        )
    return green(detail)


async def check_clock(context: CheckContext) -> Finding:
    """Compare the dates of the gateway's answers with this machine's clock.

    A date has whole seconds (RFC 9110, section 5.6.7), is rounded down, and is taken between request and
    answer. So each date gives two bounds of the skew, and many dates give narrow ones.
    """
    dated = [(status.date, status) for status in context.statuses if status.date is not None]
    if not dated:
        return skipped("the gateway's answers contain no date")
    earliest = max(date - (status.sent + status.seconds) for date, status in dated)
    latest = min(date + 1 - status.sent for date, status in dated)
    skew = (earliest + latest) / 2
    if abs(skew) <= DELAYED:
        return green("agrees with the gateway's clock within 2 s")
    detail = (
        f"this machine's clock is {format_duration(round(abs(skew)))} {'behind' if skew > 0 else 'ahead of'} "
        "the gateway's"
    )
    remedy = "set this machine's clock (NTP), or tell the site if the gateway's clock is wrong"
    if abs(skew) > FAR_OFF:
        return red(f"{detail}; jobs may not be found", remedy)
    if abs(skew) > SKEWED:
        return yellow(f"{detail}; tokens may be used after they have expired", remedy)
    return green(detail)
