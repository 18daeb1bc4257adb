"""Refusals of credentials that were good before: how long they are retried.

A gateway answers 401 for a while when its keys rotate, when it starts again or when the service that it asks
about users is away; an identity provider that starts again answers 400 or 401. A credential that was never
accepted is wrong, which a user should read within seconds.
"""

from __future__ import annotations

import logging
import math
import time

from reframe_firecrest.model.errors import GatewayError

QUIET = 60.0
"""Seconds without a refusal after which the next one begins anew."""

_LOGGER = logging.getLogger(__name__)


class Refusals:
    """The refusals by one gateway.

    Args:
        timeout: seconds for which they are retried.
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
            _LOGGER.debug("the credential is accepted again, after %.0f s", time.monotonic() - self._since)
        self._accepted, self._since = True, None

    def may_retry(self, error: GatewayError, since: float, pause: float, *, good: bool = False) -> bool:
        """Report whether a refused request may be sent again, and warn once.

        Other requests may succeed meanwhile, so a request has a time of its own; and once nothing has been
        accepted for long enough, requests that begin then have none.

        Args:
            error: the refusal.
            since: when the request was refused first, by the monotonic clock.
            pause: seconds until it would be sent again.
            good: the credential is known to have been good, though not by a request that was accepted.
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
                "a credential that was accepted before is refused; retrying for up to %.0f s: %s",
                self._timeout,
                error,
            )
        return True
