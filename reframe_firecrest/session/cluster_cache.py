"""Cache of the system's nodes, partitions and reservations.

This is the only request that ReFrame's thread waits for: ReFrame chooses nodes for flexible tests during
their setup.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as FuturesTimeoutError
from typing import Any

from reframe_firecrest.model import errors
from reframe_firecrest.model.system import Cluster
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.session.reactor import Reactor

MAX_AGE = 30.0
"""Seconds after which nodes are requested again: enough for the setup of many tests."""

TIMEOUT = 60.0
"""Seconds that the setup of a flexible test waits for the nodes."""


class ClusterCache:
    """Requests the nodes, and keeps them for `MAX_AGE` seconds.

    Args:
        system: the system's name.
        reactor: the event loop.
        request: requests the nodes from the gateway.
    """

    def __init__(
        self, system: str, reactor: Reactor, request: Callable[[], Coroutine[Any, Any, Cluster]]
    ) -> None:
        self._system = system
        self._reactor = reactor
        self._request = request
        self._known: tuple[float, Cluster] | None = None

    def get(self) -> Cluster:
        """Return the system's nodes, partitions and reservations, at most `MAX_AGE` seconds old.

        Raises:
            FirecrestError: the gateway did not report them within `TIMEOUT` seconds.
        """
        if self._known is None or time.monotonic() > self._known[0]:
            try:
                cluster = self._reactor.run(self._request(), TIMEOUT)
            except FuturesTimeoutError:
                raise errors.TransientError(
                    f"{self._system!r} did not report its nodes within {format_duration(TIMEOUT)}"
                ) from None
            self._known = time.monotonic() + MAX_AGE, cluster
        return self._known[1]
