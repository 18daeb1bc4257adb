"""Retries after a refusal of credentials that were accepted before.

A gateway answers 401 for a while when its keys rotate, when it restarts, or when its authorization service is
down; an identity provider that restarts answers 400 or 401. Credentials that were never accepted are wrong,
and the user should learn that within seconds.
"""

from __future__ import annotations

import logging
import math
import time

from reframe_firecrest.model.errors import GatewayError
from reframe_firecrest.model.units import format_duration

QUIET = 60.0
"""Seconds without a refusal after which the next one starts a new period."""

_LOGGER = logging.getLogger(__name__)


class Refusals:
    """The refusals by one gateway.

    Args:
        timeout: seconds for which refused requests are retried.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._accepted = False
        self._since: float | None = None
        self._last = -math.inf
        self._warned = -math.inf

    def accepted(self) -> None:
        """Note that the credential was accepted."""
        if self._since is not None:
            _LOGGER.debug(
                "the credential is accepted again, after %s", format_duration(time.monotonic() - self._since)
            )
        self._accepted, self._since = True, None

    def may_retry(self, error: GatewayError, since: float, pause: float, *, good: bool = False) -> bool:
        """Report whether a refused request may be sent again, and warn once.

        The time limit applies to each request, since others may succeed meanwhile, and to all requests
        together, so that later ones fail at once.

        Args:
            error: the refusal.
            since: time of the request's first refusal, by the monotonic clock.
            pause: seconds until it would be sent again.
            good: the credential is known to have been valid, though no request was accepted.
        """
        now = time.monotonic()
        if self._since is None or now - self._last > QUIET:
            self._since = since
        self._last = now
        if not (self._accepted or good) or now + pause - min(since, self._since) > self._timeout:
            return False
        if now - self._warned > self._timeout:
            self._warned = now
            _LOGGER.warning(
                "a credential that was accepted before is refused; retrying for up to %s: %s",
                format_duration(self._timeout),
                error,
            )
        return True
