"""Open a gateway: determine the version of its API, then make the implementation for it."""

from __future__ import annotations

from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.error_mapping import ANY
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.gateway.v1.gateway import GatewayV1
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors


class FirecrestConnection(Connection):
    """A connection that opens the gateway at its other end."""

    _expected: GatewayV2 | None = None

    def expected_gateway(self) -> Gateway:
        """Return the gateway in the version that the settings give, by default 2; see the protocol."""
        if self.settings.api_version == "1":
            return GatewayV1(self)
        if self._expected is None:
            self._expected = GatewayV2(self)
        return self._expected

    async def open_gateway(self) -> Gateway:
        """Return the gateway, in the version that the settings give or that the gateway's answer shows.

        Raises:
            GatewayError: the version is not set, and the gateway did not answer in time.
        """
        if self.settings.api_version in ("1", "2"):
            return self.expected_gateway()
        # Both versions have this endpoint, and their answers differ. A v2 gateway has to be asked for its
        # systems anyway, so it gets no more requests than if the version were known.
        systems = await self._request_systems()
        if "systems" not in systems:
            return GatewayV1(self)
        gateway = self._expected or GatewayV2(self)
        gateway.take_systems(systems)
        return gateway

    async def _request_systems(self) -> dict[str, object]:
        try:
            return await self.client(ANY)(operations.CONNECT, self._get_systems)
        except errors.NotFoundError as error:
            raise self.not_found(ANY.api, error) from None

    async def _get_systems(self) -> dict[str, object]:
        headers = await self.authorization.auth_headers()
        response = await self.http.get(
            f"{self.url}/status/systems", headers=headers, timeout=operations.CONNECT.timeout
        )
        response.raise_for_status()
        answer = response.json()
        if not isinstance(answer, dict) or not {"systems", "out"} & answer.keys():
            raise ValueError("not an answer of FirecREST v1 or v2")
        return answer
