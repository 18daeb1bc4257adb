"""Submits a job exactly once in effect, also when the answer is lost."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Sequence

from reframe_firecrest import errors
from reframe_firecrest.clock import clock
from reframe_firecrest.gateway.protocol import Gateway

LOOKS = (1.0, 2.0, 4.0)
"""Seconds before each look for a job whose submission is uncertain."""

RESUBMIT_PAUSES = (1.0, 2.0, 3.0)
"""Seconds before a refused submission is repeated, over and over."""

ATTEMPTS = 3
"""Submissions of one job, each of which was found to have left nothing, outages not counted."""


class Submitter:
    """Submits jobs and remembers their ids.

    Args:
        gateway: where to.
        outage: seconds for which a gateway that can't tell is asked again.
        warn: told of what was uncertain.
    """

    def __init__(self, gateway: Gateway, outage: float, warn: Callable[[str], None]) -> None:
        self._gateway = gateway
        self._outage = outage
        self._warn = warn
        # An id alone is not enough: a controller that forgets jobs gives theirs to others.
        self._known: set[tuple[str, str]] = set()

    async def submit(
        self,
        script: str,
        directory: str,
        account: str | None,
        name: str,
        resubmit_on: Sequence[str] = (),
    ) -> str:
        """Submit a script, whose job will have a certain name; returns the job's id.

        A refusal that one of the expressions in `resubmit_on` matches is repeated until it is not, like
        ReFrame's `slurm` backend does with ``resubmit_on_errors``.

        Raises:
            GatewayError: it was refused, or it can't be told whether it was queued.
        """
        for pause in itertools.cycle(RESUBMIT_PAUSES):
            try:
                return await self._submit_once(script, directory, account, name)
            except errors.RejectedError as error:
                if not any(re.search(pattern, error.detail) for pattern in resubmit_on):
                    raise
                self._warn(f"will submit again in {pause:.0f} s: {error}")
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: the cycle has no end")

    async def _submit_once(self, script: str, directory: str, account: str | None, name: str) -> str:
        """Submit a script, once in effect.

        When the answer is uncertain, the job is looked for, by its script or its working directory, which no
        other run uses, before anything is sent again.
        """
        begun, attempts = time.monotonic(), 0
        while True:
            asked = clock()
            try:
                job_id: str | None = await self._gateway.submit(script, directory, account)
            except errors.UncertainError as error:
                self._warn(
                    f"the answer to a submission was lost; looking for the job in {directory}: {error}"
                )
                job_id, certain = await self._find(script, directory, name, asked)
                # While Slurm's controller is away, each attempt leaves nothing.
                attempts += not isinstance(error, errors.OutageError)
                enough = attempts == ATTEMPTS or time.monotonic() - begun > self._outage
                if job_id is None and (enough or not certain):
                    raise
            if job_id is not None:
                self._known.add((job_id, directory))
                return job_id

    async def _find(self, script: str, directory: str, name: str, asked: float) -> tuple[str | None, bool]:
        """Look for a job; returns its id, if it is there, and whether that is certain."""
        certain = False
        for pause in LOOKS:
            await asyncio.sleep(pause)
            found = await self._look(script, directory, name, asked)
            certain = found is not None
            for job_id in found or ():
                if (job_id, directory) not in self._known:
                    return job_id, True
        return None, certain

    async def _look(self, script: str, directory: str, name: str, asked: float) -> Sequence[str] | None:
        """Look for jobs, for as long as it takes: without an answer nothing may be sent again."""
        begun = time.monotonic()
        while True:
            try:
                return await self._gateway.find(script, directory, name, asked)
            except errors.FinalError:
                raise
            except errors.GatewayError:
                if time.monotonic() - begun > self._outage:
                    raise
                await asyncio.sleep(5.0)
