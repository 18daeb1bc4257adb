"""Connection to one system behind one gateway, for all versions of the API."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

# httpx and pyfirecrest import these when they are first used. By then ReFrame may have removed site-packages
# from sys.path; see plugin/deferred_imports.py.
import anyio._backends._asyncio  # noqa: F401 - see above
import httpcore  # noqa: F401 - see above
import httpx
import httpx._transports.default

from reframe_firecrest.gateway.auth.authorization import authorization
from reframe_firecrest.gateway.http.error_mapping import ErrorMapping
from reframe_firecrest.gateway.http.http_client import CountingClient, TrafficCounter
from reframe_firecrest.gateway.http.limits import usual
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.http.request_attempts import GatewayState
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.http.throttle import Throttle
from reframe_firecrest.gateway.object_storage.object_storage import ObjectStorage
from reframe_firecrest.model import errors
from reframe_firecrest.model.suggestion import did_you_mean
from reframe_firecrest.settings import Settings


class Connection:
    """HTTP client, authorization, retries and object storage of one gateway.

    Args:
        settings: the gateway's address, the credentials and the system.
        retry_policy: for how long failures are retried.
        transport: carries the requests instead of the network, in tests.
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
        self._state = GatewayState(
            self.where, self.authorization, retry_policy, Throttle(settings.max_in_flight)
        )
        self.objects = ObjectStorage(self.http, retry_policy, self.where, limits)

    def client(self, error_mapping: ErrorMapping) -> RetryingClient:
        """Return a client for requests in one version of the API."""
        return RetryingClient(self._state, error_mapping)

    def not_found(self, api: str, error: errors.NotFoundError) -> errors.NotFoundError:
        """Return the error for an address that lacks an endpoint which every FirecREST has.

        Args:
            api: the user's name of the API version.
            error: the gateway's answer.
        """
        return errors.NotFoundError(
            f"there is no {api} at {self.url} (HTTP {error.status}); check FIRECREST_URL",
            status=error.status,
        )

    async def authenticate(self) -> float | None:
        """Get a token, if one is needed; see `GatewayConnection`."""
        await self.authorization.auth_headers()
        return self.authorization.lifetime

    async def close(self) -> None:
        """Close all connections."""
        await self.authorization.close()
        await self.http.aclose()

    def stats(self) -> dict[str, int]:
        """Count the requests, the bytes sent and received, and the most requests in flight."""
        return {
            "requests": self._traffic.requests,
            "bytes_sent": self._traffic.bytes_sent,
            "bytes_received": self._traffic.bytes_received,
            "most_in_flight": self._traffic.most_in_flight,
        }

    def unavailable(self) -> float:
        """Return the seconds for which the gateway has not served any request; see `OutageLog`."""
        return self._state.outage_log.unavailable()

    def unknown_system(self, known: Iterable[str]) -> errors.NotFoundError:
        """Return the error for a gateway without the system of the settings.

        Args:
            known: names of its systems.
        """
        name, names = self.settings.system, sorted(known)
        return errors.NotFoundError(
            f"the gateway {self.url} has no system {name!r}{did_you_mean(name, names)}; "
            f"it has: {', '.join(names) or 'none'}; check FIRECREST_SYSTEM"
        )
