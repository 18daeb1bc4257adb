"""How fast the gateway answers, and whether its clock and this machine's agree."""

from __future__ import annotations

from statistics import median

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, red, skipped, yellow

SAMPLES = 10
SLOW = 0.4
"""Seconds for a request that costs the gateway nothing, so that most of them are spent on the way."""

DELAYED = 2.0
"""Seconds of skew that need not be any: servers make the date of their answers once a second, or later when
they are busy."""

SKEWED = 30.0
"""Seconds of skew that the renewal of tokens bears: they are renewed when 60 s are left, and FirecREST
refuses those with less than 30 s left."""
FAR_OFF = 600.0
"""Seconds of skew that the list of jobs bears: it is asked for as of a time by this machine's clock, and the
shortest window is taken for 10 minutes shorter than it is."""


async def check_latency(context: CheckContext) -> Finding:
    """Take the time of ten cheap requests, one after the other."""
    looks = [await context.gateway.status() for _ in range(SAMPLES)]
    context.statuses += looks
    times = [look.seconds * 1000 for look in looks]
    detail = f"{median(times):.0f} ms, the median of {SAMPLES} ({min(times):.0f} to {max(times):.0f} ms)"
    if median(times) > SLOW * 1000:
        return yellow(
            detail, "run ReFrame on a machine nearer to the gateway, or ask the site; tests take longer"
        )
    return green(detail)


async def check_clock(context: CheckContext) -> Finding:
    """Compare the dates of the gateway's answers with this machine's clock.

    A date is in whole seconds (RFC 9110, section 5.6.7), cut off, and taken between request and answer. So
    each tells two bounds, and many tell narrow ones.
    """
    dated = [(look.date, look) for look in context.statuses if look.date is not None]
    if not dated:
        return skipped("the gateway's answers bear no date")
    earliest = max(date - (look.sent + look.seconds) for date, look in dated)
    latest = min(date + 1 - look.sent for date, look in dated)
    skew = (earliest + latest) / 2
    if abs(skew) <= DELAYED:
        return green("agrees with the gateway's within two seconds")
    detail = f"this machine's is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the gateway's"
    remedy = "set this machine's clock (NTP), or tell the site if it is theirs that is wrong"
    if abs(skew) > FAR_OFF:
        return red(f"{detail}; jobs may not be found", remedy)
    if abs(skew) > SKEWED:
        return yellow(f"{detail}; tokens may be used after they have ended", remedy)
    return green(detail)
