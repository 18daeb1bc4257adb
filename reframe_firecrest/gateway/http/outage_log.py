"""Warnings about prolonged retries: a run during an outage looks like one that hangs."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

from reframe_firecrest.gateway.http.operations import TOKEN, Operation
from reframe_firecrest.model.errors import FinalError, GatewayError
from reframe_firecrest.model.units import format_duration

WARN_AFTER = 15.0
"""Seconds of failures before a warning; a busy gateway has shorter ones regularly."""

QUIET = 30.0
"""Seconds beyond an operation's timeout without a failure, after which the next one is a new outage."""

_LOGGER = logging.getLogger(__name__)


@dataclass
class _Failing:
    since: float
    last: float
    warned: bool = False


class OutageLog:
    """Failures of operations at one gateway or storage.

    Args:
        where: the gateway and system, as the user knows them.
        outage: seconds for which operations are retried.
    """

    def __init__(self, where: str, outage: float) -> None:
        self._where = where
        self._outage = outage
        self._failing: dict[str, _Failing] = {}
        self._succeeded = -math.inf

    def failed(self, operation: Operation, error: GatewayError) -> None:
        """Note that an operation failed. A final error is an answer, so it does not count as a failure."""
        if isinstance(error, FinalError):
            self.succeeded(operation)
            return
        now = time.monotonic()
        failing = self._failing.get(operation.name)
        if failing is None or now - failing.last > operation.timeout + QUIET:
            self._failing[operation.name] = failing = _Failing(now, now)
        failing.last = now
        if failing.warned or now - failing.since < WARN_AFTER:
            return
        # While all operations fail, one warning is enough.
        if self._succeeded > failing.since or not any(other.warned for other in self._failing.values()):
            failing.warned = True
            _LOGGER.warning(
                "%s; this has lasted for %s; retrying for up to %s, your jobs go on",
                str(error).rstrip("."),
                format_duration(now - failing.since),
                format_duration(self._outage),
            )

    def failed_alone(self, operation: Operation, error: GatewayError, seconds: float) -> bool:
        """Warn that one request keeps failing while others of its kind succeed; return whether it did."""
        is_short = seconds < WARN_AFTER or isinstance(error, FinalError)
        if is_short or self.lasts(operation) >= WARN_AFTER:
            return False
        _LOGGER.warning(
            "%s; this has failed for %s, although other requests succeed; retrying for up to %s",
            str(error).rstrip("."),
            format_duration(seconds),
            format_duration(self._outage),
        )
        return True

    def lasts(self, operation: Operation) -> float:
        """Return the seconds for which an operation has failed."""
        failing = self._failing.get(operation.name)
        return failing.last - failing.since if failing else 0.0

    def unavailable(self) -> float:
        """Return the seconds for which no operation has succeeded; 0 before there was a warning about it.

        Any thread may call it.
        """
        warned = [failing.since for failing in [*self._failing.values()] if failing.warned]
        since = [moment for moment in warned if moment >= self._succeeded]
        return time.monotonic() - min(since) if since else 0.0

    def succeeded(self, operation: Operation) -> None:
        """Note that an operation succeeded."""
        now = time.monotonic()
        # A token may come from memory, or from a provider that works while the gateway does not.
        if operation is not TOKEN:
            self._succeeded = now
        failing = self._failing.pop(operation.name, None)
        if failing is not None and failing.warned:
            _LOGGER.warning(
                "%s on %s works again, after %s",
                operation.name,
                self._where,
                format_duration(now - failing.since),
            )
