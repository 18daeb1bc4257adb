"""Attempts of one operation at a gateway: the decision to renew a token, to retry or to fail."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field

from reframe_firecrest.gateway.auth.authorization import Authorization
from reframe_firecrest.gateway.auth.refusals import Refusals
from reframe_firecrest.gateway.http import error_translation, operations, policy
from reframe_firecrest.gateway.http.error_mapping import ErrorMapping
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.outage_log import OutageLog
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.http.throttle import Throttle
from reframe_firecrest.gateway.protocol import LATEST_EFFECT
from reframe_firecrest.model import errors
from reframe_firecrest.model.units import format_duration

_LOGGER = logging.getLogger(__name__)


@dataclass
class GatewayState:
    """State that all requests to one gateway share.

    Attributes:
        where: the gateway and system, as the user knows them.
        authorization: of the requests; it is renewed when the gateway refuses it.
        answered: the gateway has answered at least once.
        doubtful_creation: time of the last failed attempt to create a directory that may still be carried
            out, by the monotonic clock.
    """

    where: str
    authorization: Authorization
    retry_policy: RetryPolicy
    throttle: Throttle
    outage_log: OutageLog = field(init=False)
    refusals: Refusals = field(init=False)
    answered: bool = False
    doubtful_creation: float = -math.inf

    def __post_init__(self) -> None:
        self.outage_log = OutageLog(self.where, self.retry_policy.outage)
        self.refusals = Refusals(self.retry_policy.refused)

    def unsettled(self) -> float:
        """Return the seconds for which an attempt to create a directory may still be carried out."""
        return max(self.doubtful_creation + LATEST_EFFECT - time.monotonic(), 0.0)


class RequestAttempts:
    """State of one operation over its attempts.

    Args:
        gateway: the state that all requests share.
        error_mapping: of the API version in use.
        operation: the operation to attempt.
        single: it is one request, which needs a token; otherwise each of its requests is retried by itself.

    Attributes:
        current: what an attempt is doing: the operation, or getting a token for it. An error of the latter
            leaves no doubt about the operation.
    """

    def __init__(
        self, gateway: GatewayState, error_mapping: ErrorMapping, operation: Operation, *, single: bool
    ) -> None:
        self._gateway = gateway
        self._error_mapping = error_mapping
        self._operation = operation
        self.current = operation
        # The requests of a composite operation have renewed their tokens themselves.
        self._renewed = not single
        self._began = time.monotonic()
        self._number = 0
        self._consecutive = 0
        self._failing_since: float | None = None
        self._warned = False
        self._refused_at: list[float] = []

    def succeeded(self) -> None:
        """Record the success, for all operations."""
        self._gateway.answered = True
        self._gateway.refusals.accepted()
        self._gateway.outage_log.succeeded(self._operation)

    def pause_after(self, problem: Exception) -> float:
        """Return the seconds until the next attempt; see `retry.Attempts`."""
        error = self._translate(problem)
        if policy.is_refusal(self.current, error):
            if error.status == 401 and self._gateway.authorization.renewable and not self._renewed:
                self._renewed = True
                return 0.0
            pause = self._pause_after_refusal(error)
            if pause is not None:
                return pause
            if self._gateway.authorization.is_stale():
                error = error.as_kind(errors.TransientError)
        self._note_failure(error)
        pause = self._gateway.retry_policy.pause_before(self._number, error.retry_after)
        elapsed = time.monotonic() - self._began
        may_retry = policy.may_repeat(self.current, error, self._consecutive)
        if not may_retry or elapsed + pause > self._time_limit():
            raise error
        return pause

    def _translate(self, problem: Exception) -> errors.GatewayError:
        gateway, remedy = self._gateway, self._gateway.authorization.remedy
        if self._renewed:
            remedy = f"a renewed token is refused too; {remedy}"
        error = error_translation.translate_error(
            self._operation, problem, gateway.where, remedy, self._error_mapping
        )
        gateway.answered = gateway.answered or _shows_gateway(error)
        return policy.in_context(self.current, error, answered=gateway.answered)

    def _pause_after_refusal(self, error: errors.GatewayError) -> float | None:
        """Return the seconds until refused credentials are tried again, None if they are not."""
        self._refused_at.append(time.monotonic())
        pause = self._gateway.retry_policy.pause_before(len(self._refused_at), error.retry_after)
        # An identity provider that has issued a token has accepted the client.
        good = self.current is operations.TOKEN and self._gateway.authorization.lifetime is not None
        may_retry = self._gateway.refusals.may_retry(error, self._refused_at[0], pause, good=good)
        return pause if may_retry else None

    def _note_failure(self, error: errors.GatewayError) -> None:
        now = time.monotonic()
        outage_log = self._gateway.outage_log
        outage_log.failed(self.current, error)
        self._ease(error)
        if self.current is operations.MKDIR and isinstance(error, errors.UncertainError):
            self._gateway.doubtful_creation = now
        if self._failing_since is None:
            self._failing_since = now
        self._warned = self._warned or outage_log.failed_alone(self.current, error, now - self._failing_since)
        self._consecutive = 0 if isinstance(error, errors.TransientError) else self._consecutive + 1
        self._number += 1

    def _time_limit(self) -> float:
        retry_policy = self._gateway.retry_policy
        limit = retry_policy.outage if self._gateway.answered else retry_policy.first_contact
        return min(limit, self.current.retry_timeout)

    def _ease(self, error: errors.GatewayError) -> None:
        """Reduce the load on a gateway that reports an overload."""
        gateway = self._gateway
        if policy.is_overload(error):
            gateway.throttle.strained(error.retry_after)
        failing = gateway.outage_log.lasts(self.current)
        used_up = policy.is_exhausted(error) and failing > policy.EXHAUSTED_AFTER
        if used_up and gateway.throttle.rest(policy.COOLDOWN):
            _LOGGER.warning(
                "the gateway's connection to %s seems to be exhausted; pausing for %s, so that the gateway "
                "opens a new one",
                gateway.where,
                format_duration(policy.COOLDOWN),
            )


def _shows_gateway(error: errors.GatewayError) -> bool:
    """Report whether an error proves that a gateway answers: a proxy sends 502 or 503 for a dead one."""
    if error.status is None or error.status >= 500 or isinstance(error, errors.ForeignAnswerError):
        return False
    # Any rate limit is that of a gateway, even if a proxy enforces it.
    return error.own or isinstance(error, errors.TransientError)
