"""Cancellation of jobs on the system, concurrently, and the jobs that may still exist afterwards."""

from __future__ import annotations

import asyncio
import logging

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.session.reactor import Reactor

_LOGGER = logging.getLogger(__name__)

NO_TIME = "there was no time to cancel it"
"""Reason for which a job may still exist until its cancellation is answered."""


class CancelQueue:
    """The cancellations of one session.

    Args:
        gateway: the gateway.
        reactor: the event loop.
    """

    def __init__(self, gateway: Gateway, reactor: Reactor) -> None:
        self._gateway = gateway
        self._reactor = reactor
        self._tasks: set[asyncio.Task[None]] = set()
        self._left: dict[str, str] = {}

    @property
    def left(self) -> list[str]:
        """Ids of jobs that were to be cancelled but may still exist."""
        return sorted(self._left)

    def start(self, job_id: str) -> None:
        """Cancel a job in the background."""
        self._left[job_id] = NO_TIME
        task = self._reactor.spawn(self.cancel(job_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self, job_id: str) -> None:
        """Cancel a job; `report` warns if that fails."""
        self._left[job_id] = NO_TIME
        try:
            await self._gateway.cancel(job_id)
        except errors.GatewayError as error:
            self._left[job_id] = str(error)
        else:
            del self._left[job_id]

    async def finish(self) -> None:
        """Wait until all background cancellations have ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def report(self) -> None:
        """Warn about the jobs that may still exist."""
        if not self._left:
            return
        ids = " ".join(self.left)
        reason = next(iter(self._left.values()))
        _LOGGER.warning(
            f"{len(self._left)} jobs may still be queued or running; cancel them with: scancel {ids} "
            f"({reason})"
            if len(self._left) > 1
            else f"job {ids} may still be queued or running; cancel it with: scancel {ids} ({reason})"
        )
