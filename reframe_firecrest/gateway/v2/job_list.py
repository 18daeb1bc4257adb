"""Lists of jobs, in the cheapest form that works: of all jobs, by name in several parts, or of a single job.

A list of all jobs contains those of the account's other runs in the time window, about 1 kB each. A filter by
name has a limited length, so many names take several requests. A single job is queried by its id, which is
answered correctly from the first moment. A job that starts and ends within seconds appears in lists up to
five seconds later, when the accounting has received its start (observed with Slurm 22.05).

A list can fail permanently while other requests succeed. A job with a ``|`` in its name, of any user, makes
each list that contains it invalid, and a list longer than ``max_ops_file_size`` is refused (both observed
with FirecREST v2 at 35e1d08). Lists by the names of other jobs are not affected.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from reframe_firecrest.gateway.deployment import Deployment
from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.v2 import schemas
from reframe_firecrest.gateway.v2.client import Client
from reframe_firecrest.gateway.v2.list_cost import ListCost
from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import ConnectionMode
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.units import format_duration

MAX_NAMES = 235
"""Characters of the filter by name, which is passed to ``sacct --name`` and may contain several names."""

FORGET_AFTER = 300.0
"""Seconds after which a form that failed is tried again, since jobs leave the list's time window."""

TRIES = 2
"""Consecutive failures after which another form is tried; a permanent error needs only one."""

LISTS_AT_A_TIME = 3
"""Lists by name in progress at a time; each takes two of the gateway's sessions on the system."""

_WINDOWS = (("1h", 3000), ("8h", 28_000), ("24h", 85_000), ("3d", 258_000))
_WIDEST_WINDOW = "7d"

_PASSING = (errors.TransientError, errors.OutageError, errors.AuthError, errors.ForbiddenError)
"""Errors that another form of the query would have as well."""

_LOGGER = logging.getLogger(__name__)


def time_window(age: float) -> str:
    """Return the shortest of the API's time windows that covers `age` seconds, with a margin."""
    return next((name for name, seconds in _WINDOWS if age <= seconds), _WIDEST_WINDOW)


class JobList:
    """List jobs, and avoid the forms that have failed.

    Args:
        deployment: the system, and what is known of it.
        client: makes single requests.
        call: retries them and translates their errors.
        job: queries a single job.
    """

    def __init__(
        self,
        deployment: Deployment,
        client: Client,
        call: RetryingClient,
        job: Callable[[str], Awaitable[Sequence[JobPart]]] | None = None,
    ) -> None:
        self._deployment = deployment
        self._path = f"/compute/{deployment.system}/jobs"
        self._client = client
        self._call = call
        self._job = job
        self._failures: dict[str, int] = {}
        self._broken: dict[str, float] = {}
        self._cost = ListCost()

    async def get(
        self,
        seen_since: float,
        names: Sequence[str] = (),
        ids: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> list[JobPart]:
        """List jobs; see the protocol.

        Raises:
            UnlistableError: all forms fail, but a job can be queried by its id.
            GatewayError: the gateway fails.
        """
        if self._deployment.capabilities.connection_mode is not ConnectionMode.SSH:
            # slurmrestd lists all jobs, and the gateway picks those with exactly the given name. So a list by
            # names costs as much as all of them, and is empty for several names.
            names, instead = (), instead if len(instead) == 1 else ()
        window = time_window(clock() - seen_since)
        self._cost.note_own(ids)

        async def ask() -> list[JobPart]:
            return await self._in_some_form(window, names, ids, instead)

        return await self._call.multi_request(operations.LIST_JOBS, ask)

    def names_per_list(self, names: Sequence[str]) -> int:
        """Return how many of these names one request can list; see the protocol."""
        filters = self._deployment.capabilities.connection_mode is ConnectionMode.SSH
        pieces = self._pieces_of(names) if filters else []
        return len(pieces[0]) if pieces else len(names)

    def _pieces_of(self, names: Sequence[str]) -> list[list[str]]:
        """Group names for several lists; return none if they fit into one, or one of all jobs is better."""
        pieces = _pieces(names)
        covers_all = sum(map(len, pieces)) == len(set(names))
        in_pieces = covers_all and len(pieces) > 1 and not self._is_broken("some jobs by name")
        return pieces if in_pieces and self._cost.prefers_names(len(pieces), len(names)) else []

    async def _in_some_form(
        self, window: str, names: Sequence[str], ids: Sequence[str], instead: Sequence[str]
    ) -> list[JobPart]:
        if len(ids) == 1 and len(names) <= 1:
            found = await self._single(ids[0])
            if found is not None:
                return found
        good = [name for name in dict.fromkeys(names) if not self._is_broken(name)]
        found = await self._by_name(self._pieces_of(good))
        if found is not None:
            return found
        wanted = good if _pieces(good) == [good] else []
        form = "jobs by name" if wanted else "all jobs"
        failure: errors.GatewayError | None = None
        if not self._is_broken(form):
            try:
                return await self._request(form, window, wanted)
            except errors.GatewayError as error:
                if not self._is_useless(form, error) or not (names or ids or instead):
                    raise
                failure = error
            if ids and not await self._answers_for_one_of(ids):
                raise failure
            self._give_up(form, failure)
        found = await self._by_name(_pieces(good or instead))
        if found is not None:
            return found
        if ids:
            raise errors.UnlistableError(
                f"{operations.LIST_JOBS.name} on {self._call.where} failed with every query"
            )
        if failure is not None:
            raise failure
        return await self._request(form, window, wanted)

    async def _single(self, job_id: str) -> list[JobPart] | None:
        """Query a single job; return None if that fails, so that it has to be listed."""
        if self._job is None or self._is_broken("a single job"):
            return None
        try:
            found = list(await self._job(job_id))
        except errors.GatewayError as error:
            if not self._is_useless("a single job", error):
                raise
            self._give_up("a single job", error)
            return None
        self._works("a single job")
        return found

    async def _by_name(self, pieces: Sequence[Sequence[str]]) -> list[JobPart] | None:
        """List jobs by some names at a time; return None if that fails."""
        if not pieces or self._is_broken("some jobs by name"):
            return None
        try:
            return await self._in_pieces(pieces)
        except errors.GatewayError as error:
            if isinstance(error, _PASSING):
                raise
            self._give_up("some jobs by name", error)
            return None

    async def _request(self, form: str, window: str, names: Sequence[str]) -> list[JobPart]:
        params = {"time_window": window, **({"name": ",".join(names)} if names else {})}

        async def ask() -> list[JobPart]:
            return schemas.parse_jobs(await self._client.get_json(self._path, params))

        # The choice of the form is retried as a whole.
        begun = time.monotonic()
        found = await self._call(replace(operations.LIST_JOBS, retry_timeout=0.0), ask)
        self._works(form)
        if names:
            self._cost.note_by_name(time.monotonic() - begun, len(found), len(names))
        else:
            self._cost.note_all(len(found))
        return found

    def _works(self, form: str) -> None:
        self._failures.pop(form, None)
        self._broken.pop(form, None)

    async def _in_pieces(self, pieces: Iterable[Sequence[str]]) -> list[JobPart]:
        """List jobs by some names at a time; leave out names whose list fails.

        Raises:
            GatewayError: all lists fail.
        """
        found: list[JobPart] = []
        failed: dict[str, errors.GatewayError] = {}
        succeeded = 0
        left = [list(piece) for piece in pieces]
        while left:
            now, left = left[:LISTS_AT_A_TIME], left[LISTS_AT_A_TIME:]
            # Jobs that ended before this window are queried singly by the watcher.
            lists = (self._request("some jobs by name", _WINDOWS[0][0], piece) for piece in now)
            for piece, listed in zip(now, await asyncio.gather(*lists, return_exceptions=True), strict=True):
                if not isinstance(listed, BaseException):
                    found += listed
                    succeeded += 1
                    continue
                if isinstance(listed, _PASSING) or not isinstance(listed, errors.GatewayError):
                    raise listed
                half = len(piece) // 2
                if half:
                    left += [piece[:half], piece[half:]]
                else:
                    failed[piece[0]] = listed
                    if not succeeded and not left:
                        raise listed
        for name in failed if succeeded else ():
            self._broken[name] = time.monotonic() + FORGET_AFTER
        return found

    async def _answers_for_one_of(self, ids: Sequence[str]) -> bool:
        """Report whether one of these jobs can be queried singly."""
        if self._job is None:
            return False
        try:
            # A random one, since one of them may itself be the cause.
            await self._job(random.choice(ids))  # noqa: S311 - no secret
        except errors.GatewayError:
            return False
        return True

    def _is_useless(self, form: str, error: errors.GatewayError) -> bool:
        """Note that a form failed; return whether to try another."""
        if isinstance(error, _PASSING):
            return False
        self._failures[form] = self._failures.get(form, 0) + 1
        return isinstance(error, errors.FinalError) or self._failures[form] >= TRIES

    def _is_broken(self, form: str) -> bool:
        return self._broken.get(form, 0.0) > time.monotonic()

    def _give_up(self, form: str, error: errors.GatewayError) -> None:
        if form not in self._broken:
            _LOGGER.warning(
                "cannot list %s; using another query for %s: %s",
                form,
                format_duration(FORGET_AFTER),
                error,
            )
        self._broken[form] = time.monotonic() + FORGET_AFTER


def _with_comma(names: Iterable[str]) -> bool:
    return any("," in name for name in names)


def _pieces(names: Iterable[str]) -> list[list[str]]:
    """Group names to fit into the filter; leave out those that are too long or contain a comma."""
    pieces: list[list[str]] = []
    for name in dict.fromkeys(names):
        if "," in name or not 0 < len(name) <= MAX_NAMES:
            continue
        if pieces and len(",".join([*pieces[-1], name])) <= MAX_NAMES:
            pieces[-1].append(name)
        else:
            pieces.append([name])
    return pieces
