"""What leads to one system behind one gateway, whatever the version of its API."""

from __future__ import annotations

import ssl

import httpx

from reframe_firecrest.gateway.auth.authorization import authorization
from reframe_firecrest.gateway.http.error_mapping import ANY, ErrorMapping
from reframe_firecrest.gateway.http.http_client import CountingClient, TrafficCounter
from reframe_firecrest.gateway.http.limits import usual
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.object_storage.object_storage import ObjectStorage
from reframe_firecrest.model import errors
from reframe_firecrest.settings import Settings


class Connection:
    """HTTP, who we are, how requests are repeated, and the way to the object store.

    Args:
        settings: where the gateway is and who we are.
        retry_policy: how long failures are ridden out.
        transport: what carries the requests, if not the network.
    """

    def __init__(
        self,
        settings: Settings,
        retry_policy: RetryPolicy,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self.url = str(settings.url).rstrip("/")
        self.where = f"{settings.system!r} at {self.url}"
        self._traffic = TrafficCounter()
        trusted = ssl.create_default_context(cafile=str(settings.ca_bundle)) if settings.ca_bundle else True
        limits = usual(settings)
        self.http = CountingClient(self._traffic, limits, verify=trusted, transport=transport)
        self.authorization = authorization(settings.credentials, self.http)
        self.http.event_hooks = {"response": [self.authorization.notice]}
        self.call = RetryingClient(self.where, self.authorization, retry_policy, settings.max_in_flight, ANY)
        self.objects = ObjectStorage(self.http, retry_policy, self.where, limits)

    def use_error_mapping(self, error_mapping: ErrorMapping) -> None:
        """Note which version of the API is spoken from now on."""
        self.call.use_error_mapping(error_mapping)

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
            "requests": self._traffic.requests,
            "bytes_sent": self._traffic.bytes_sent,
            "bytes_received": self._traffic.bytes_received,
            "most_in_flight": self._traffic.most_in_flight,
        }
