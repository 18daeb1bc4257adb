"""Which paths the sandbox touches: absolute ones that stay below its root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reframe_firecrest.sandbox.errors import CommandError, PathError

if TYPE_CHECKING:
    from pathlib import Path


def confined(raw: str, root: Path, system: str, *, follow: bool = True) -> str:
    """Return the path if it leads to a place below the root.

    Args:
        raw: as the client sent it.
        root: absolute, without symbolic links.
        system: named in the refusal.
        follow: whether the operation follows a symbolic link at the path's end; one that
            does not may touch a link that points elsewhere (to remove it, say).

    Raises:
        PathError: it is relative, or leaves the root by `..` or through a link.
        CommandError: it has a quote, on which the real gateway's shell commands break.
    """
    if not raw.startswith("/"):
        raise PathError.relative(raw)
    path = os.path.normpath(raw)
    if "\0" in path:
        raise PathError.outside(path.replace("\0", "?"), system)
    directory, name = os.path.split(path)
    place = os.path.realpath(path if follow else directory)
    if not follow:
        place = os.path.join(place, name)  # noqa: PTH118  pathlib would resolve nothing here either
    for candidate in (path, place):
        if not below(candidate, root):
            raise PathError.outside(candidate, system)
    if "'" in path:
        raise CommandError(2, "bash: -c: line 1: unexpected EOF while looking for matching `''")
    return path


def links_out(path: str, root: Path) -> str | None:
    """Return a symbolic link at or below the path that leads out of the root, if there is one."""
    if os.path.islink(path):  # noqa: PTH114  strings throughout: these are the client's own
        return None if below(os.path.realpath(path), root) else path
    for directory, subdirectories, files in os.walk(path):
        for name in (*subdirectories, *files):
            entry = os.path.join(directory, name)  # noqa: PTH118
            if os.path.islink(entry) and not below(os.path.realpath(entry), root):  # noqa: PTH114
                return entry
    return None


def below(path: str, root: Path) -> bool:
    """Tell whether a resolved path is the root or below it."""
    return path == str(root) or path.startswith(f"{str(root).rstrip('/')}/")
