"""Remove a directory tree on the system, even if jobs have left directories in it without permissions.

``rm -r`` can't remove the entries of a directory that its owner may not list and write, such as one with mode
000. Such directories get mode 700 first, one level at a time, because their content can't be listed before.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable
from contextlib import suppress
from posixpath import basename, dirname

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.session.listing import list_completely

MODE = "700"

MAX_DIRECTORIES = 200
"""Directories in one tree whose mode is changed; each takes a request."""


async def remove_tree(gateway: Gateway, path: str) -> None:
    """Remove a file or a directory tree; succeed if it does not exist.

    No job may be writing to the tree: links are recognised in a listing and must not appear after it.

    Args:
        gateway: gateway of the system.
        path: absolute path on the system.

    Raises:
        GatewayError: it was not removed.
    """
    try:
        return await gateway.remove(path)
    except errors.ForbiddenError as error:
        if not error.own:
            raise
    # A failure here, such as another owner, shows again in the removal below.
    with suppress(errors.GatewayError):
        await _make_accessible(gateway, path)
    try:
        await gateway.remove(path)
    except errors.ForbiddenError as error:
        quoted = shlex.quote(path)
        remedy = f"remove it on the system: chmod -R u+rwX {quoted} && rm -r {quoted}"
        raise errors.ForbiddenError(f"{error}; {remedy}", status=error.status, own=error.own) from None


async def _make_accessible(gateway: Gateway, top: str) -> None:
    """Give the owner all permissions on the directories of a tree that lack them."""
    changed: set[str] = set()

    async def change(directories: Iterable[str]) -> bool:
        new = sorted(set(directories) - changed)[: MAX_DIRECTORIES - len(changed)]
        changed.update(new)
        results = await asyncio.gather(
            *(gateway.change_mode(directory, MODE) for directory in new), return_exceptions=True
        )
        return any(result is None for result in results)

    await change(await _inaccessible(gateway, dirname(top), {basename(top)}))
    while await change(await _inaccessible_below(gateway, top)):
        pass


async def _inaccessible(gateway: Gateway, directory: str, names: set[str]) -> list[str]:
    """Return those of a directory's subdirectories with given names that lack a permission."""
    entries = [entry for entry in await gateway.list_directory(directory) if entry.path in names]
    return [f"{directory}/{entry.path}" for entry in entries if _lacks_permissions(entry)]


async def _inaccessible_below(gateway: Gateway, top: str) -> list[str]:
    tree = await list_completely(gateway, top)
    return [f"{top}/{entry.path}" for entry in tree.entries if _lacks_permissions(entry)]


def _lacks_permissions(entry: RemoteFile) -> bool:
    """Report whether an entry is a directory whose owner may not list, write or enter it.

    `chmod` follows links, so the entry must be a directory itself, and its path must be certain: a name with
    a backslash is ambiguous in a listing (`unquote_c`).
    """
    certain = "\\" not in entry.path and ".." not in entry.path.split("/")
    accessible = entry.permissions[:2] == "rw" and entry.permissions[2:3] in ("x", "s")
    return entry.kind is FileKind.DIRECTORY and certain and not accessible
