"""Removes on the system, when a session ends, all but the stage directories that ReFrame keeps here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from posixpath import dirname, normpath

from reframe_firecrest.model import errors
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.session.remote_removal import remove_tree

_LOGGER = logging.getLogger(__name__)

LARGE = 100_000_000
"""Bytes from which on a stage directory is removed as soon as ReFrame has removed it, not at the end only."""

GONE_EVERY = 5.0
"""Seconds between two looks whether ReFrame has removed a large stage directory."""

NAMED = 5
"""Kept stage directories that are named."""

ENTIRE_RUN = "."
"""The run's directory itself."""


class RemoteCleanup:
    """What one session removes.

    Args:
        gateway: the way there.
        root: the run's directory on the system.
        reactor: runs what goes on in the background.
        record: keeps what was removed.
    """

    def __init__(self, context: SessionContext, reactor: Reactor) -> None:
        self._gateway = context.gateway
        self._root = context.root
        self._record = context.record
        self._reactor = reactor
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def note_size(self, local: str, relative: str, size: int) -> None:
        """Have a stage directory removed as soon as ReFrame has removed it, if it is a large one.

        ReFrame does so when its test and all tests that depend on it have passed.

        Args:
            local: the stage directory here.
            relative: the same there, relative to the run's directory.
            size: bytes in it.
        """
        if size >= LARGE and local not in self._waiting:
            self._waiting[local] = self._reactor.spawn(self._remove_when_gone(local, relative))

    async def _remove_when_gone(self, local: str, relative: str) -> None:
        while await asyncio.to_thread(_existing, [local]):  # noqa: ASYNC110 - ReFrame tells nobody
            await asyncio.sleep(GONE_EVERY)
        error = await self._remove(relative)
        if error is not None:
            _LOGGER.debug("will be removed at the end: %s/%s: %s", self._root, relative, error)

    async def finish(self, directories: Mapping[str, str], also: str) -> None:
        """Remove what ReFrame has removed here; failures are told, not raised.

        Args:
            directories: the stage directories that were sent: where they are relative to the run's directory,
                by local path.
            also: what else goes, relative to the run's directory.
        """
        for task in self._waiting.values():
            task.cancel()
        here = await asyncio.to_thread(_existing, directories)
        kept = [directories[local] for local in here]
        going = removable([also, *directories.values()], kept)
        failures = [error for error in await asyncio.gather(*map(self._remove, going)) if error]
        if failures:
            _LOGGER.warning("%s directories below %s remain: %s", len(failures), self._root, failures[0])
        if kept:
            named = ", ".join(sorted(kept)[:NAMED]) + (", ..." if len(kept) > NAMED else "")
            _LOGGER.info(
                "%s stage directories are kept on the system, below %s: %s", len(kept), self._root, named
            )

    async def _remove(self, path: str) -> str | None:
        """Remove a directory, relative to the run's; return what went wrong."""
        try:
            await remove_tree(self._gateway, normpath(f"{self._root}/{path}"))
        except errors.GatewayError as error:
            return str(error)
        self._record.removed(path)
        return None


def _existing(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if Path(path).is_dir()]


def removable(gone: Iterable[str], kept: Iterable[str]) -> list[str]:
    """Return the fewest directories that hold what is to go and nothing that is to stay.

    Args:
        gone: directories to remove, relative to the run's.
        kept: directories that stay with all that is in them.
    """
    staying = set(kept)
    if not staying:
        return [ENTIRE_RUN]
    on_the_way = {above for path in staying for above in _above(path)}
    found = set()
    for path in gone:
        tops = [path, *_above(path)]
        if not staying.intersection(tops):
            found.update([top for top in tops if top not in on_the_way][-1:])
    return sorted(found)


def _above(path: str) -> Iterator[str]:
    """Yield what a path lies in, from the inside out."""
    while path := dirname(path):
        yield path
