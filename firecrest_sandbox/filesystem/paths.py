"""Confinement of paths: absolute ones that stay below the root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from firecrest_sandbox.errors import CommandError, PathError
from firecrest_sandbox.filesystem.extraction import below

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def confined(raw: str, root: Path, system: str, *, follow: bool = True) -> str:
    """Return a normalised path if it stays below the root; a trailing slash is kept.

    Args:
        raw: the client's path.
        root: absolute, without symbolic links.
        system: name of the system, for the error message.
        follow: whether the operation follows a symbolic link at the end of the path. Otherwise it may access
            a link that leads out, for example to remove it. A trailing slash always follows a link (POSIX,
            pathname resolution).

    Raises:
        PathError: the path is relative, or leaves the root by `..` or through a link.
        CommandError: the path contains a quote, which breaks the real gateway's shell commands.
    """
    if not raw.startswith("/"):
        raise PathError.relative(raw)
    if "\0" in raw:
        raise PathError.outside(raw.replace("\0", "?"), system)
    path = os.path.normpath(raw)
    as_directory = raw.endswith(("/", "/."))
    # The root's parent is outside, so the root itself is resolved completely.
    resolve_all = follow or as_directory or path == str(root)
    resolved = os.path.realpath(path if resolve_all else os.path.dirname(path))  # noqa: PTH120
    for candidate in (path, resolved):
        if not below(candidate, root):
            raise PathError.outside(candidate, system)
    if "'" in path:
        raise CommandError(2, "bash: -c: line 1: unexpected EOF while looking for matching `''")
    return f"{path}/" if as_directory and path != "/" else path


def links_out(path: str, root: Path, *, deep: bool = True) -> str | None:
    """Return a symbolic link below a path that leads out of the root, or None.

    Args:
        path: start of the search. Links to directories below the root are followed, as with `--dereference`.
        root: absolute, without symbolic links.
        deep: whether subdirectories are searched.
    """
    pending, seen = [path], set()
    while pending:
        start = pending.pop()
        real = os.path.realpath(start)
        if not below(real, root):
            return start
        if real in seen:
            continue
        seen.add(real)
        if deep or start == path:
            pending += _links(real, deep=deep)
    return None


def _links(top: str, *, deep: bool) -> Iterator[str]:
    for directory, subdirectories, files in os.walk(top):
        entries = (os.path.join(directory, name) for name in (*subdirectories, *files))  # noqa: PTH118
        yield from filter(os.path.islink, entries)
        if not deep:
            return
