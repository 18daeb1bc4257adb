"""Manifest of a stage directory, and the entries of it that have changed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.staging.placeholder_index import INDEX, Index, reason_in, reason_of
from reframe_firecrest.staging.read_guard import unguarded

_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""Errors of following a link that leads nowhere, in a circle, or to an invalid name."""

MOST_ENTRIES = 500_000
"""Largest number of entries: links to directories of links can multiply without end."""


class Kind(str, Enum):
    """Kind of an entry after links have been followed.

    A dangling link leads nowhere or, within the stage directory, in a circle; it is sent as a link. A
    placeholder represents a file or a directory that stayed on the system; it is never sent.
    """

    FILE = "file"
    DIRECTORY = "directory"
    DANGLING = "dangling link"
    PLACEHOLDER = "placeholder"


@dataclass(frozen=True)
class Entry:
    """Entry of a stage directory.

    Attributes:
        source: local path of its content.
        size: size in bytes.
        mtime_ns: modification time, in nanoseconds since the epoch.
        mode: permission bits.
        target: target of a dangling link, or the reason for which a placeholder's file stayed on the system.
    """

    source: str
    kind: Kind
    size: int
    mtime_ns: int
    mode: int
    target: str = ""

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """Value that differs if the entry has changed."""
        return (self.kind, self.size, self.mtime_ns, self.mode, self.target)


Manifest = Mapping[str, Entry]
"""Entries by their path relative to the stage directory."""


def scan(directory: str) -> dict[str, Entry]:
    """List a stage directory, following links.

    Links are followed because their targets, such as ReFrame's ``readonly_files``, do not exist on the
    system. A link to a directory that contains it can't be followed: a relative one means the same on the
    system, and an absolute one is an error.

    Args:
        directory: absolute path.

    Raises:
        StagingError: an entry can't be read, there are too many entries, or a link leads in a circle.
    """
    try:
        with unguarded():
            return _scan(directory)
    except OSError as error:
        raise StagingError(f"{error.filename}: {error.strerror}") from None


def _scan(directory: str) -> dict[str, Entry]:
    found = {}
    for path, entry in _walk(directory, "", (os.path.realpath(directory),), {}):
        found[path] = entry
        if len(found) > MOST_ENTRIES:
            raise StagingError(
                f"{directory} has more than {MOST_ENTRIES} entries, including those behind links; remove some"
            )
    return found


def _walk(
    directory: str, prefix: str, above: tuple[str, ...], indexes: Mapping[str, Index]
) -> Iterator[tuple[str, Entry]]:
    """Yield the entries below a directory.

    Args:
        directory: the directory.
        prefix: beginning of its entries' paths.
        above: the directories that contain it, with links resolved.
        indexes: placeholder indexes of the directories that contain it, by the prefix of their entries'
            paths. A copied stage directory contains its own index.
    """
    with os.scandir(directory) as listing:
        found = sorted(listing, key=lambda item: item.name)
    if any(item.name == INDEX for item in found):
        indexes = {**indexes, prefix: Index(directory)}
    for item in found:
        path = prefix + item.name
        if item.name == INDEX:
            continue
        try:
            info = item.stat()
        except OSError as error:
            if error.errno not in _NOWHERE:
                raise
            if item.is_symlink():
                yield path, _link(item)
            continue
        reason = _placeholder(path, item, info, indexes)
        if reason is not None:
            yield path, _entry(item.path, Kind.PLACEHOLDER, info, reason)
        elif stat.S_ISREG(info.st_mode):
            yield path, _entry(item.path, Kind.FILE, info)
        elif stat.S_ISDIR(info.st_mode):
            real = os.path.realpath(item.path)
            if real in above:
                if not item.is_symlink() or Path(item.path).readlink().is_absolute():
                    raise StagingError(
                        f"{item.path} links back to {real}, which contains it; remove the link"
                    )
                yield path, _link(item)
                continue
            yield path, _entry(item.path, Kind.DIRECTORY, info)
            yield from _walk(item.path, f"{path}/", (*above, real), indexes)
        # Sockets, pipes and devices have no content to send.


def _placeholder(
    path: str, item: os.DirEntry[str], info: os.stat_result, indexes: Mapping[str, Index]
) -> str | None:
    """Return the reason for which an entry stayed on the system; None if it is no placeholder."""
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        return None
    for prefix, index in indexes.items():
        reason = index.reason_for(path.removeprefix(prefix), info)
        if reason is not None:
            return reason
    if not stat.S_ISREG(info.st_mode) or stat.S_IMODE(info.st_mode):
        return None
    # A link may lead to another stage directory.
    resolved = os.path.realpath(item.path)
    return reason_of(resolved, info) if item.is_symlink() else reason_in(resolved, info)


def _link(item: os.DirEntry[str]) -> Entry:
    return _entry(item.path, Kind.DANGLING, item.stat(follow_symlinks=False), str(Path(item.path).readlink()))


def _entry(source: str, kind: Kind, info: os.stat_result, target: str = "") -> Entry:
    # A directory's time changes with its entries, which are compared themselves.
    mtime = 0 if stat.S_ISDIR(info.st_mode) else info.st_mtime_ns
    size = info.st_size if kind in (Kind.FILE, Kind.PLACEHOLDER) else 0
    return Entry(source, kind, size, mtime, stat.S_IMODE(info.st_mode) & 0o777, target)


def entry_of(source: str) -> Entry:
    """Return the entry of a file or directory; a link is followed.

    Raises:
        OSError: it can't be read.
    """
    info = Path(source).stat()
    return _entry(source, Kind.DIRECTORY if stat.S_ISDIR(info.st_mode) else Kind.FILE, info)


def changed(manifest: Manifest, known: Mapping[str, tuple[object, ...]]) -> dict[str, Entry]:
    """Return the entries that differ from those on the system.

    Args:
        manifest: the current entries.
        known: fingerprints of the entries that were sent or fetched last.
    """
    return {path: entry for path, entry in manifest.items() if known.get(path) != entry.fingerprint}
