"""How a request is made: repeated as the policy says, and what goes wrong translated."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from reframe_firecrest.gateway.auth.authorization import Authorization
from reframe_firecrest.gateway.auth.refusals import Refusals
from reframe_firecrest.gateway.http import error_translation, policy
from reframe_firecrest.gateway.http.error_mapping import ErrorMapping
from reframe_firecrest.gateway.http.outage_log import OutageLog
from reframe_firecrest.gateway.http.policy import Operation, RetryPolicy
from reframe_firecrest.gateway.http.throttle import Throttle
from reframe_firecrest.model import errors

Result = TypeVar("Result")

_LOGGER = logging.getLogger(__name__)


@dataclass
class _Attempt:
    """What one attempt has come to: the operation itself, or only a token for it."""

    doing: Operation


class RetryingClient:
    """Makes requests to one gateway.

    Args:
        where: the gateway and system, as the user knows them.
        authorization: renewed when the gateway refuses it.
        retry_policy: how long failures are ridden out.
        max_in_flight: requests that may be open at a time, however well the gateway answers.
        error_mapping: how the version of the API that is spoken puts things.
    """

    def __init__(
        self,
        where: str,
        authorization: Authorization,
        retry_policy: RetryPolicy,
        max_in_flight: int,
        error_mapping: ErrorMapping,
    ) -> None:
        self.where = where
        self._authorization = authorization
        self._retry_policy = retry_policy
        self._throttle = Throttle(max_in_flight)
        self._outage_log = OutageLog(where, retry_policy.outage)
        self._refusals = Refusals(retry_policy.refused)
        self._answered = False
        self.use_error_mapping(error_mapping)

    def use_error_mapping(self, error_mapping: ErrorMapping) -> None:
        """Note which version of the API is spoken from now on."""
        self._error_mapping = error_mapping
        self._throttle.bound(error_mapping.at_first, error_mapping.inside)

    @property
    def api(self) -> str:
        """What users call the API that is spoken."""
        return self._error_mapping.api

    async def __call__(self, operation: Operation, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Make a request; returns what it returns.

        Raises:
            GatewayError: it failed for good, or for longer than patience lasts.
        """
        return await self._repeat(operation, lambda attempt: self._request(operation, ask, attempt))

    async def multi_request(self, operation: Operation, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Do what takes several requests, each of them made through this caller; returns what it returns.

        It holds none of the places for requests, and each of its requests has a time of its own.

        Raises:
            GatewayError: it failed for good, or for longer than patience lasts.
        """

        async def work(attempt: _Attempt) -> Result:
            attempt.doing = operation
            return await ask()

        # Each of the requests has had its token renewed.
        return await self._repeat(operation, work, renewed=True)

    async def _request(
        self, operation: Operation, ask: Callable[[], Awaitable[Result]], attempt: _Attempt
    ) -> Result:
        async with self._throttle.slot(urgent=operation is policy.CANCEL):
            # Before the clock starts: a token that can't be had leaves no doubt about the operation.
            await self._authorization.auth_headers()
            self._outage_log.succeeded(policy.TOKEN)
            attempt.doing, asked_at = operation, time.monotonic()
            try:
                # Before Python 3.12, asyncio.wait_for forgets a cancellation that comes with the answer.
                with anyio.fail_after(operation.timeout):
                    result = await ask()
            except TimeoutError:
                raise errors.UncertainError(
                    f"{operation.name} on {self.where} failed: no answer within {operation.timeout:.0f} s"
                ) from None
            self._throttle.answered(time.monotonic() - asked_at)
            return result

    async def _repeat(
        self,
        operation: Operation,
        ask: Callable[[_Attempt], Awaitable[Result]],
        *,
        renewed: bool = False,
    ) -> Result:
        begun = time.monotonic()
        number = consecutive = 0
        failing, warned = 0.0, False
        refused: list[float] = []
        while True:
            attempt = _Attempt(policy.TOKEN)
            try:
                result = await ask(attempt)
            except Exception as problem:  # noqa: BLE001 - translated and raised or repeated below
                remedy = self._authorization.remedy
                if renewed:
                    remedy = f"a renewed token is refused too; {remedy}"
                error = error_translation.translate_error(
                    operation, problem, self.where, remedy, self._error_mapping
                )
                self._answered = self._answered or _shows_gateway(error)
                error = policy.in_context(attempt.doing, error, answered=self._answered)
            else:
                self._answered = True
                self._refusals.accepted()
                self._outage_log.succeeded(operation)
                return result
            doing = attempt.doing
            if policy.is_refusal(doing, error):
                if error.status == 401 and self._authorization.renewable and not renewed:
                    renewed = True
                    continue
                refused.append(time.monotonic())
                pause = self._retry_policy.pause_before(len(refused), error.retry_after)
                # An identity provider that has given a token accepted the client.
                good = doing is policy.TOKEN and self._authorization.lifetime is not None
                if self._refusals.may_retry(error, refused[0], pause, good=good):
                    await asyncio.sleep(pause)
                    continue
                if self._authorization.is_stale():
                    error = error.as_kind(errors.TransientError)
            self._outage_log.failed(doing, error)
            self._ease(doing, error)
            failing = failing or time.monotonic()
            warned = warned or self._outage_log.failed_alone(doing, error, time.monotonic() - failing)
            consecutive = 0 if isinstance(error, errors.TransientError) else consecutive + 1
            number += 1
            limit = self._retry_policy.outage if self._answered else self._retry_policy.first_contact
            limit = min(limit, doing.retry_policy)
            pause = self._retry_policy.pause_before(number, error.retry_after)
            if not policy.may_repeat(doing, error, consecutive) or time.monotonic() + pause - begun > limit:
                raise error
            await asyncio.sleep(pause)

    def _ease(self, operation: Operation, error: errors.GatewayError) -> None:
        """Ask less of a gateway that can't do more."""
        if policy.is_overload(error):
            self._throttle.strained(error.retry_after)
        used_up = policy.is_exhausted(error) and self._outage_log.lasts(operation) > policy.EXHAUSTED_AFTER
        if used_up and self._throttle.rest(policy.COOLDOWN):
            _LOGGER.warning(
                "the gateway's connection to %s seems to be used up; leaving it alone for %.0f s, so that it "
                "makes a new one",
                self.where,
                policy.COOLDOWN,
            )


def _shows_gateway(error: errors.GatewayError) -> bool:
    """Report whether an error shows that a gateway is there: a proxy answers 502 or 503 for a dead one."""
    if error.status is None or error.status >= 500 or isinstance(error, errors.ForeignAnswerError):
        return False
    # A rate limit is one of a gateway, whoever keeps it.
    return error.own or isinstance(error, errors.TransientError)
