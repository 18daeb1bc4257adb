"""Runs that are known from their directories only: where a runner's disk is gone, so are its journals."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FuturesTimeoutError

from reframe_firecrest import errors
from reframe_firecrest.cleaning.system import visit
from reframe_firecrest.gateway.protocol import FileKind
from reframe_firecrest.runs import begun_at
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.session import MakeGateway
from reframe_firecrest.settings import Settings

PATIENCE = 120.0
"""Seconds for the list."""


def runs_on_the_system(settings: Settings, open_gateway: MakeGateway) -> list[str]:
    """Return the names of the runs that have a directory on a system.

    Raises:
        GatewayError: the gateway does not tell.
    """

    async def ask() -> list[str]:
        gateway = visit(settings, open_gateway)
        try:
            await gateway.connect()
            entries = await gateway.list_directory(f"{settings.basedir}/{settings.namespace}")
        except errors.NotFoundError as error:
            if error.status is None:
                # There is no such system: nobody said so by way of an HTTP status.
                raise
            return []
        finally:
            await gateway.close()
        return sorted(
            entry.path
            for entry in entries
            if entry.kind is FileKind.DIRECTORY and begun_at(entry.path) is not None
        )

    try:
        return reactor().run(ask(), PATIENCE)
    except FuturesTimeoutError:
        raise errors.TransientError(
            f"{settings.system!r} did not tell its directories within {PATIENCE:.0f} s"
        ) from None
