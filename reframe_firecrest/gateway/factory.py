"""Makes the gateway for the version of the API that is spoken, which may have to be asked for first."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx

from reframe_firecrest.gateway.http import policy
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.protocol import Gateway, WaitForJob
from reframe_firecrest.gateway.v1.gateway import GatewayV1
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.model import errors
from reframe_firecrest.settings import Settings


def open_gateway(
    settings: Settings,
    wait_for_job: WaitForJob,
    retry_policy: RetryPolicy,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Gateway:
    """Make the gateway that settings name.

    Args:
        settings: where it is, who we are, and which version of the API it speaks.
        wait_for_job: follows a transfer job to its end.
        retry_policy: how long failures are ridden out.
        transport: what carries the requests, if not the network.
    """
    connection = Connection(settings, retry_policy, transport)
    if settings.api_version == "1":
        return GatewayV1(connection, wait_for_job)
    if settings.api_version == "2":
        return GatewayV2(connection, wait_for_job)
    # Whatever a gateway does, this one has it done by the right one.
    return cast("Gateway", _Undecided(connection, wait_for_job))


class _Undecided:
    """A gateway that asks for its version before it does anything else.

    It asks for the systems: both versions have ``/status/systems``, and their answers differ. So a v2
    gateway, which has to be asked for its systems anyway, gets no more requests than if the version were
    known.
    """

    def __init__(self, connection: Connection, wait_for_job: WaitForJob) -> None:
        self._connection = connection
        self._wait_for_job = wait_for_job
        self._gateway: Gateway | None = None
        self._deciding: asyncio.Task[Gateway] | None = None

    async def authenticate(self) -> float | None:
        """Get what authenticates requests; see the protocol."""
        return await self._connection.authenticate()

    async def reach(self, url: str) -> int:
        """Ask a storage for anything at all."""
        return await self._connection.objects.reach(url)

    def unsettled(self) -> float:
        """Return how long closing takes; see the protocol."""
        return self._gateway.unsettled() if self._gateway else 0.0

    async def close(self) -> None:
        """Close everything."""
        if self._deciding is not None:
            self._deciding.cancel()
            await asyncio.gather(self._deciding, return_exceptions=True)
        await (self._gateway or self._connection).close()

    def stats(self) -> dict[str, int]:
        """Count what went over the wire."""
        return self._connection.stats()

    def __getattr__(self, name: str) -> Any:
        async def decided(*args: Any, **kwargs: Any) -> Any:
            return await getattr(await self._decide(), name)(*args, **kwargs)

        if name.startswith("_"):
            raise AttributeError(name)
        return decided

    async def _decide(self) -> Gateway:
        if self._gateway is None:
            # Who asks at the same time is told the same, an error too: waiting for it once is enough.
            if self._deciding is None or self._deciding.done():
                self._deciding = asyncio.create_task(self._ask())
            self._gateway = await asyncio.shield(self._deciding)
        return self._gateway

    async def _ask(self) -> Gateway:
        connection = self._connection

        async def ask() -> dict[str, object]:
            headers = await connection.authorization.auth_headers()
            response = await connection.http.get(
                f"{connection.url}/status/systems", headers=headers, timeout=policy.CONNECT.timeout
            )
            response.raise_for_status()
            answer = response.json()
            if not isinstance(answer, dict) or not {"systems", "out"} & answer.keys():
                raise ValueError("neither version's answer")
            return answer

        try:
            answer = await connection.call(policy.CONNECT, ask)
        except errors.NotFoundError as error:
            raise connection.not_there(error) from None
        if "systems" in answer:
            return GatewayV2(connection, self._wait_for_job, answer)
        return GatewayV1(connection, self._wait_for_job)
