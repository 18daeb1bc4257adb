"""Which paths the sandbox touches: absolute ones that stay below its root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from firecrest_sandbox.errors import CommandError, PathError
from firecrest_sandbox.filesystem.extraction import below

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def confined(raw: str, root: Path, system: str, *, follow: bool = True) -> str:
    """Return the path if it leads to a place below the root, with the slash at its end if it has one.

    Args:
        raw: as the client sent it.
        root: absolute, without symbolic links.
        system: named in the refusal.
        follow: whether the operation follows a symbolic link at the path's end; one that
            does not may touch a link that points elsewhere (to remove it, say). A slash behind a link has it
            followed in any case (POSIX, pathname resolution).

    Raises:
        PathError: it is relative, or leaves the root by `..` or through a link.
        CommandError: it has a quote, on which the real gateway's shell commands break.
    """
    if not raw.startswith("/"):
        raise PathError.relative(raw)
    if "\0" in raw:
        raise PathError.outside(raw.replace("\0", "?"), system)
    path = os.path.normpath(raw)
    as_directory = raw.endswith(("/", "/."))
    # What lies beside the root must not be a way back to the root itself.
    ends_here = follow or as_directory or path == str(root)
    place = os.path.realpath(path if ends_here else os.path.dirname(path))  # noqa: PTH120
    for candidate in (path, place):
        if not below(candidate, root):
            raise PathError.outside(candidate, system)
    if "'" in path:
        raise CommandError(2, "bash: -c: line 1: unexpected EOF while looking for matching `''")
    return f"{path}/" if as_directory and path != "/" else path


def links_out(path: str, root: Path, *, deep: bool = True) -> str | None:
    """Return a symbolic link that leads out of the root, if one is met where links are followed.

    Args:
        path: where to begin; links to directories below the root are followed from there, as
            `--dereference` does.
        root: absolute, without symbolic links.
        deep: whether subdirectories are looked into.
    """
    waiting, seen = [path], set()
    while waiting:
        start = waiting.pop()
        real = os.path.realpath(start)
        if not below(real, root):
            return start
        if real in seen:
            continue
        seen.add(real)
        if deep or start == path:
            waiting += _links(real, deep=deep)
    return None


def _links(top: str, *, deep: bool) -> Iterator[str]:
    for directory, subdirectories, files in os.walk(top):
        entries = (os.path.join(directory, name) for name in (*subdirectories, *files))  # noqa: PTH118
        yield from filter(os.path.islink, entries)
        if not deep:
            return
