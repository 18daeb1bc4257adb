"""Listings of stage directories: of many together, and level by level where something can't be listed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import FileKind, RemoteFile

REFUSALS = (
    errors.ForbiddenError,
    errors.NotFoundError,
    errors.OperationTimeoutError,
    errors.RejectedError,
    errors.TooLargeError,
)
"""Answers to a listing that something in the directory may cause.

``ls`` fails as a whole if it can't look into one directory, or if something vanishes meanwhile; the gateway
also limits its time and length.
"""

LISTINGS = 100
"""Requests for one stage directory; what is not listed by then counts as not readable."""


@dataclass
class Tree:
    """What lies below a directory.

    Attributes:
        entries: with paths relative to it.
        closed: directories whose entries are not known, with the reason.
    """

    entries: Sequence[RemoteFile]
    closed: dict[str, str] = field(default_factory=dict)


class _Explorer:
    """Lists one stage directory.

    Args:
        gateway: the way there.
        top: the stage directory's remote path.
    """

    def __init__(self, gateway: Gateway, top: str) -> None:
        self._gateway = gateway
        self._top = top
        self._left = LISTINGS
        self._entries: list[RemoteFile] = []
        self._closed: dict[str, str] = {}

    async def explore(self) -> Tree:
        """List the directory itself and what lies in each of its directories."""
        await self._level("")
        return Tree(self._entries, self._closed)

    async def _level(self, path: str) -> None:
        listing = await self._gateway.list_directory(f"{self._top}/{path}".rstrip("/"))
        found = [_below(path, entry) for entry in listing]
        self._entries += found
        directories = [entry.path for entry in found if entry.kind is FileKind.DIRECTORY]
        await asyncio.gather(*(self._look_into(directory) for directory in directories))

    async def _look_into(self, path: str) -> None:
        try:
            if not self._take():
                self._closed[path] = f"it was not listed: that takes more than {LISTINGS} requests"
                return
            listing = await self._gateway.list_tree(f"{self._top}/{path}")
            self._entries += [_below(path, entry) for entry in listing]
        except REFUSALS as error:
            await self._look_closer(path, error)

    async def _look_closer(self, path: str, error: errors.GatewayError) -> None:
        try:
            if not self._take():
                raise error
            await self._level(path)
        except REFUSALS as refusal:
            denied = isinstance(refusal, errors.ForbiddenError)
            self._closed[path] = f"it can't be listed: {'permission denied' if denied else refusal}"

    def _take(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _below(directory: str, entry: RemoteFile) -> RemoteFile:
    return replace(entry, path=f"{directory}/{entry.path}") if directory else entry


async def list_completely(gateway: Gateway, path: str) -> Tree:
    """List a stage directory: all of it in one request if possible, level by level if not.

    Args:
        gateway: the way there.
        path: the stage directory's remote path.

    Raises:
        GatewayError: not even the directory itself can be listed.
    """
    try:
        return Tree(await gateway.list_tree(path))
    except REFUSALS:
        return await _Explorer(gateway, path).explore()


def split(listing: Sequence[RemoteFile], directories: Sequence[str]) -> list[list[RemoteFile]]:
    """Sort the entries of one listing into the directories that they are in.

    Args:
        listing: of something that contains all the directories.
        directories: relative to what was listed; none contains another.
    """
    found: dict[str, list[RemoteFile]] = {directory: [] for directory in directories}
    depths = sorted({directory.count("/") + 1 for directory in directories})
    for entry in listing:
        parts = entry.path.split("/")
        for depth in depths:
            directory = "/".join(parts[:depth])
            if directory in found and len(parts) > depth:
                found[directory].append(replace(entry, path="/".join(parts[depth:])))
                break
    return [found[directory] for directory in directories]
