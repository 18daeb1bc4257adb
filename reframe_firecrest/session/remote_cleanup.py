"""Removal of remote directories at the end of a session, except for stage directories that ReFrame keeps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from posixpath import dirname, normpath

from reframe_firecrest.model import errors
from reframe_firecrest.model.units import format_count
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.session.remote_removal import remove_tree

_LOGGER = logging.getLogger(__name__)

LARGE = 100_000_000
"""Size in bytes from which a stage directory is removed as soon as ReFrame has removed the local one."""

CHECK_INTERVAL = 5.0
"""Seconds between two checks whether ReFrame has removed a large stage directory."""

NAMED = 5
"""Kept stage directories that a message names."""

ENTIRE_RUN = "."
"""The run's directory itself."""


class RemoteCleanup:
    """Remove the remote directories of one session.

    Args:
        context: the session.
        reactor: the event loop.
    """

    def __init__(self, context: SessionContext, reactor: Reactor) -> None:
        self._gateway = context.gateway
        self._root = context.root
        self._record = context.record
        self._reactor = reactor
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def note_size(self, local: str, relative: str, size: int) -> None:
        """Remove a large stage directory as soon as ReFrame has removed the local one.

        ReFrame removes it when its test and all dependent tests have passed.

        Args:
            local: absolute local path.
            relative: path below the run's remote directory.
            size: bytes in it.
        """
        if size >= LARGE and local not in self._waiting:
            self._waiting[local] = self._reactor.spawn(self._remove_when_gone(local, relative))

    async def _remove_when_gone(self, local: str, relative: str) -> None:
        while await asyncio.to_thread(_existing, [local]):  # noqa: ASYNC110 - ReFrame has no event for it
            await asyncio.sleep(CHECK_INTERVAL)
        error = await self._remove(relative)
        if error is not None:
            _LOGGER.debug("removed at the end of the run instead: %s/%s: %s", self._root, relative, error)

    async def finish(
        self, directories: Mapping[str, str], also: str, *, mapped: Collection[str] = ()
    ) -> None:
        """Remove the stage directories that ReFrame has removed locally; failures are logged, not raised.

        Args:
            directories: paths of stage directories below the run's directory, by local path.
            also: another directory to remove, relative to the run's directory.
            mapped: directories that are removed unless a stage directory is kept, whose script may name them.
        """
        for task in self._waiting.values():
            task.cancel()
        here = await asyncio.to_thread(_existing, directories)
        kept = [directories[local] for local in here]
        going = removable([also, *directories.values()], [*kept, *(mapped if kept else ())])
        failures = [error for error in await asyncio.gather(*map(self._remove, going)) if error]
        if failures:
            _LOGGER.warning(
                "%s below %s could not be removed: %s",
                format_count(len(failures), "directory", "directories"),
                self._root,
                failures[0],
            )
        if kept:
            named = ", ".join(sorted(kept)[:NAMED]) + (", ..." if len(kept) > NAMED else "")
            _LOGGER.info(
                "%s kept on the system, below %s: %s",
                format_count(len(kept), "stage directory", "stage directories"),
                self._root,
                named,
            )

    async def _remove(self, path: str) -> str | None:
        """Remove a directory below the run's; return the error message, or None."""
        try:
            await remove_tree(self._gateway, normpath(f"{self._root}/{path}"))
        except errors.GatewayError as error:
            return str(error)
        self._record.removed(path)
        return None


def _existing(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if Path(path).is_dir()]


def removable(gone: Iterable[str], kept: Iterable[str]) -> list[str]:
    """Return the fewest directories that contain all directories to remove and none to keep.

    Args:
        gone: directories to remove, relative to the run's.
        kept: directories to keep with their content.
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
    """Yield the directories that contain a path, innermost first."""
    while path := dirname(path):
        yield path
