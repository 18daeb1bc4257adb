"""What the system consists of: the one question that ReFrame's thread waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as FuturesTimeoutError
from typing import Any

from reframe_firecrest.model import errors
from reframe_firecrest.model.system import Cluster
from reframe_firecrest.session.reactor import Reactor

AGE = 30.0
"""Seconds for which nodes count as known: long enough for the setup of many tests."""

PATIENCE = 60.0
"""Seconds that a flexible test's setup waits for the nodes."""


class ClusterCache:
    """Asks for the nodes, and remembers them for a while.

    ReFrame chooses nodes for flexible tests in the middle of their setup, so it has to wait.

    Args:
        system: the system's name.
        reactor: runs the question.
        ask: asks the gateway.
    """

    def __init__(
        self, system: str, reactor: Reactor, ask: Callable[[], Coroutine[Any, Any, Cluster]]
    ) -> None:
        self._system = system
        self._reactor = reactor
        self._ask = ask
        self._known: tuple[float, Cluster] | None = None

    def get(self) -> Cluster:
        """Return the system's nodes, partitions and reservations, `AGE` seconds old at most.

        Raises:
            FirecrestError: the gateway did not tell within `PATIENCE` seconds.
        """
        if self._known is None or time.monotonic() > self._known[0]:
            try:
                found = self._reactor.run(self._ask(), PATIENCE)
            except FuturesTimeoutError:
                raise errors.TransientError(
                    f"{self._system!r} did not tell its nodes within {PATIENCE:.0f} s"
                ) from None
            self._known = time.monotonic() + AGE, found
        return self._known[1]
