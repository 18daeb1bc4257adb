"""Status of a FirecREST v1 gateway: version, limits, systems and services."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.dates import parse_date
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.v1 import system_schemas
from reframe_firecrest.gateway.v1.client import Client
from reframe_firecrest.gateway.v1.system_schemas import Parameters
from reframe_firecrest.model import errors
from reframe_firecrest.model.gateway_status import GatewayStatus, ServiceHealth, SystemHealth

Result = TypeVar("Result")

OLDEST = (1, 16)
"""Oldest version that can pack and unpack archives, and list directories recursively."""


class Status:
    """The API's section ``/status``.

    Args:
        connection: to the gateway.
        client: makes single requests.
        call: retries them.
    """

    def __init__(self, connection: Connection, client: Client, call: RetryingClient) -> None:
        self._connection = connection
        self._call = call
        self._client = client
        self._asked: Any = None

    async def parameters(self) -> Parameters:
        """Query the gateway's version and limits, and check that it has the system.

        Raises:
            NotFoundError: there is no FirecREST v1, or it does not have the system.
            RejectedError: the version is too old.
        """

        async def ask() -> Parameters:
            return system_schemas.parse_parameters((await self._client.get_fresh("/status/parameters"))[0])

        found = await self._first(ask)
        version = re.match(r"(\d+)\.(\d+)", found.version or "")
        if version and tuple(map(int, version.groups())) < OLDEST:
            raise errors.RejectedError(
                f"the gateway {self._connection.url} has FirecREST {found.version}, which can neither pack "
                "nor unpack archives; check with the site for 1.16 or newer"
            )
        system, known = self._connection.settings.system, found.file_systems
        if known and system not in known:
            raise self._connection.unknown_system(known)
        return found

    async def status(self) -> GatewayStatus:
        """Query the gateway's version, limits and health."""

        async def ask() -> GatewayStatus:
            sent, begun = time.time(), time.monotonic()
            answer, headers = await self._client.get_fresh("/status/parameters")
            seconds = time.monotonic() - begun
            parameters = system_schemas.parse_parameters(answer)
            health = await self._health(parameters)
            return GatewayStatus(
                parameters.version, health, sent, seconds, parse_date(headers.get("date", ""))
            )

        return await self._first(ask)

    async def _health(self, parameters: Parameters) -> dict[str, SystemHealth]:
        """Query the health of services and systems, once: it costs the gateway a command on each system."""
        if self._asked is None:
            self._asked = await asyncio.gather(
                self._client.get_fresh("/status/services"), self._client.get_fresh("/status/systems")
            )
        (services, _), (systems, _) = self._asked
        own = [
            ServiceHealth(name, problem is None, message=problem)
            for name, problem in system_schemas.parse_unavailable_services(services).items()
        ]
        return {
            name: SystemHealth(
                services=[*own, ServiceHealth("system", problem is None, message=problem)],
                file_systems=parameters.file_systems.get(name, ()),
                max_direct_upload=parameters.max_direct,
            )
            for name, problem in system_schemas.parse_unavailable_services(systems).items()
        }

    async def _first(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Make a first request, which shows whether the address is that of a FirecREST."""
        try:
            return await self._call(operations.CONNECT, ask)
        except errors.NotFoundError as error:
            raise self._connection.not_found(self._call.api, error) from None
