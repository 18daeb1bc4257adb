"""What leads to one system behind one gateway, whatever the version of its API."""

from __future__ import annotations

import ssl

import httpx

from reframe_firecrest import errors
from reframe_firecrest.gateway.auth import authorization
from reframe_firecrest.gateway.calls import Caller
from reframe_firecrest.gateway.dialect import ANY, Dialect
from reframe_firecrest.gateway.limits import usual
from reframe_firecrest.gateway.objects import Objects
from reframe_firecrest.gateway.policy import Patience
from reframe_firecrest.gateway.wire import CountingClient, Wire
from reframe_firecrest.settings import Settings


class Connection:
    """HTTP, who we are, how requests are repeated, and the way to the object store.

    Args:
        settings: where the gateway is and who we are.
        patience: how long failures are ridden out.
        transport: what carries the requests, if not the network.
    """

    def __init__(
        self,
        settings: Settings,
        patience: Patience,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self.url = str(settings.url).rstrip("/")
        self.where = f"{settings.system!r} at {self.url}"
        self._wire = Wire()
        trusted = ssl.create_default_context(cafile=str(settings.ca_bundle)) if settings.ca_bundle else True
        limits = usual(settings)
        self.http = CountingClient(self._wire, limits, verify=trusted, transport=transport)
        self.authorization = authorization(settings.credentials, self.http)
        self.http.event_hooks = {"response": [self.authorization.notice]}
        self.call = Caller(self.where, self.authorization, patience, settings.max_in_flight, ANY)
        self.objects = Objects(self.http, patience, self.where, limits)

    def speak(self, dialect: Dialect) -> None:
        """Note which version of the API is spoken from now on."""
        self.call.speak(dialect)

    def not_there(self, error: errors.NotFoundError) -> errors.NotFoundError:
        """Say that the gateway knows nothing of what every FirecREST of this version has."""
        return errors.NotFoundError(
            f"there is no {self.call.api} at {self.url} (HTTP {error.status}); check FIRECREST_URL",
            status=error.status,
        )

    async def authenticate(self) -> float | None:
        """Get what authenticates requests; see the protocol."""
        await self.authorization.auth_headers()
        return self.authorization.lifetime

    async def close(self) -> None:
        """Close everything."""
        await self.authorization.close()
        await self.http.aclose()

    def stats(self) -> dict[str, int]:
        """Count what went over the wire."""
        return {
            "requests": self._wire.requests,
            "bytes_sent": self._wire.bytes_sent,
            "bytes_received": self._wire.bytes_received,
            "most_in_flight": self._wire.most_in_flight,
        }
