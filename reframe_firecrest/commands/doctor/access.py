"""Checks of the settings, the token and the gateway."""

from __future__ import annotations

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, yellow
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.settings.credentials import ClientSecret

BRIEF = 60.0
"""Lifetime of tokens, in seconds, below which nearly every request needs a new one."""

_HERE = ("127.0.0.1", "localhost", "[::1]")


async def check_settings(context: CheckContext) -> Finding:
    """Check for settings that are valid but unsafe."""
    settings = context.settings
    urls = [settings.url]
    if isinstance(settings.credentials, ClientSecret):
        urls.append(settings.credentials.token_url)
    for url in urls:
        if url.scheme == "http" and url.host not in _HERE:
            return yellow(f"secrets are sent to {url} in clear text", "use https, if the site offers it")
    names = ", ".join(name for name in context.target.partitions if name)
    source = f"{names} in {context.target.config}" if context.target.config else "the environment"
    return green(f"complete, from {source}; authentication by {settings.credentials.auth}")


async def check_token(context: CheckContext) -> Finding:
    """Get a token."""
    lifetime = await context.connection.authenticate()
    if lifetime is None:
        return green("not needed: authentication by an API key")
    if lifetime < BRIEF:
        return yellow(
            f"tokens are valid for only {format_duration(lifetime)}; FirecREST refuses tokens with less "
            "than 30 s left",
            "ask the operators of the identity provider for a lifetime of 5 min",
        )
    return green(f"valid for {format_duration(lifetime)}")


async def check_gateway(context: CheckContext) -> Finding:
    """Request the gateway's status."""
    await context.connection.open_gateway()
    status = await context.gateway.status()
    context.statuses.append(status)
    url = str(context.settings.url).rstrip("/")
    if status.version and not status.version.startswith(("1.", "2")):
        return yellow(f"{url} reports version {status.version}", "ask the site for FirecREST v2")
    return green(f"FirecREST {status.version or '(unknown version)'} at {url}")
