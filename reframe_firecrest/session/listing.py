"""Listings of stage directories, level by level where a directory can't be listed as a whole."""

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
"""Errors of a listing that the content of the directory may cause.

``ls`` fails as a whole if it can't read one directory, or if an entry is removed meanwhile. The gateway also
limits its duration and the length of its output.
"""

MAX_LISTINGS = 100
"""Requests for one stage directory; directories that remain count as not readable."""


@dataclass
class Tree:
    """Content of a directory.

    Attributes:
        entries: all entries below it, with relative paths.
        closed: directories whose entries are unknown, with the reason.
    """

    entries: Sequence[RemoteFile]
    closed: dict[str, str] = field(default_factory=dict)


class _Explorer:
    """List one stage directory.

    Args:
        gateway: the gateway.
        top: the stage directory's remote path.
    """

    def __init__(self, gateway: Gateway, top: str) -> None:
        self._gateway = gateway
        self._top = top
        self._left = MAX_LISTINGS
        self._entries: list[RemoteFile] = []
        self._closed: dict[str, str] = {}

    async def explore(self) -> Tree:
        """List the directory itself, and each of its directories."""
        await self._list_level("")
        return Tree(self._entries, self._closed)

    async def _list_level(self, path: str) -> None:
        listing = await self._gateway.list_directory(f"{self._top}/{path}".rstrip("/"))
        found = [_below(path, entry) for entry in listing]
        self._entries += found
        directories = [entry.path for entry in found if entry.kind is FileKind.DIRECTORY]
        await asyncio.gather(*(self._list_below(directory) for directory in directories))

    async def _list_below(self, path: str) -> None:
        try:
            if not self._may_list():
                self._closed[path] = f"it was not listed: that takes more than {MAX_LISTINGS} requests"
                return
            listing = await self._gateway.list_tree(f"{self._top}/{path}")
            self._entries += [_below(path, entry) for entry in listing]
        except REFUSALS as error:
            await self._list_below_by_level(path, error)

    async def _list_below_by_level(self, path: str, error: errors.GatewayError) -> None:
        try:
            if not self._may_list():
                raise error
            await self._list_level(path)
        except REFUSALS as refusal:
            denied = isinstance(refusal, errors.ForbiddenError)
            self._closed[path] = f"it can't be listed: {'permission denied' if denied else refusal}"

    def _may_list(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _below(directory: str, entry: RemoteFile) -> RemoteFile:
    return replace(entry, path=f"{directory}/{entry.path}") if directory else entry


async def list_completely(gateway: Gateway, path: str) -> Tree:
    """List a stage directory, in one request if possible, otherwise level by level.

    Args:
        gateway: the gateway.
        path: the stage directory's remote path.

    Raises:
        GatewayError: the directory itself can't be listed.
    """
    try:
        return Tree(await gateway.list_tree(path))
    except REFUSALS:
        return await _Explorer(gateway, path).explore()


def split(listing: Sequence[RemoteFile], directories: Sequence[str]) -> list[list[RemoteFile]]:
    """Distribute the entries of one listing to the directories that contain them.

    Args:
        listing: listing of a directory that contains all the directories.
        directories: directories relative to it; none contains another.
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
