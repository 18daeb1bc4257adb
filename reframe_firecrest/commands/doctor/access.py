"""Whether the gateway is there and lets us in."""

from __future__ import annotations

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, yellow
from reframe_firecrest.settings.credentials import ClientSecret

BRIEF = 60.0
"""Seconds of a token's life below which it is renewed with nearly every request."""

_HERE = ("127.0.0.1", "localhost", "[::1]")


async def check_settings(context: CheckContext) -> Finding:
    """Look for settings that are valid and yet a bad idea."""
    settings = context.settings
    urls = [settings.url]
    if isinstance(settings.credentials, ClientSecret):
        urls.append(settings.credentials.token_url)
    for url in urls:
        if url.scheme == "http" and url.host not in _HERE:
            return yellow(f"secrets go to {url} in clear text", "use https, if the site offers it")
    where = ", ".join(name for name in context.target.partitions if name) or "the environment"
    return green(f"complete, from {where}; authentication by {settings.credentials.auth}")


async def check_token(context: CheckContext) -> Finding:
    """Get a token."""
    lifetime = await context.connection.authenticate()
    if lifetime is None:
        return green("none is needed: an API key is sent as it is")
    if lifetime < BRIEF:
        return yellow(
            f"tokens are good for {lifetime:.0f} s only, and FirecREST refuses those with under 30 s left",
            "ask who runs the identity provider for tokens that live for 5 minutes",
        )
    return green(f"good for {lifetime:.0f} s")


async def check_gateway(context: CheckContext) -> Finding:
    """Look at the gateway."""
    await context.connection.open_gateway()
    look = await context.gateway.status()
    context.statuses.append(look)
    url = str(context.settings.url).rstrip("/")
    if look.version and not look.version.startswith(("1.", "2")):
        return yellow(f"{url} says that it is version {look.version}", "ask the site for FirecREST v2")
    return green(f"FirecREST {look.version or 'of a version that it does not tell'} at {url}")
