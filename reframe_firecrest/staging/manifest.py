"""What lies in a stage directory, and what of it has to travel."""

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
"""What becomes of following a link that leads nowhere, in a circle, or to what can't have a name."""

MOST_ENTRIES = 500_000
"""Entries that a stage directory may have: a few links to directories of links multiply without end."""


class Kind(str, Enum):
    """What an entry is once links have been followed.

    A link is dangling if it leads nowhere or, within the stage directory, in a circle: it travels as a link.
    A placeholder stands for a file or a directory that stayed on the system; it never travels.
    """

    FILE = "file"
    DIRECTORY = "directory"
    DANGLING = "dangling link"
    PLACEHOLDER = "placeholder"


@dataclass(frozen=True)
class Entry:
    """One entry of a stage directory.

    Attributes:
        source: the local path whose content travels.
        size: bytes.
        mtime_ns: modification time, nanoseconds since the epoch.
        mode: permission bits.
        target: where a dangling link points to, or why a placeholder's file stayed on the system.
    """

    source: str
    kind: Kind
    size: int
    mtime_ns: int
    mode: int
    target: str = ""

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """What changes when the entry does."""
        return (self.kind, self.size, self.mtime_ns, self.mode, self.target)


Manifest = Mapping[str, Entry]
"""Entries by their path relative to the stage directory."""


def scan(directory: str) -> dict[str, Entry]:
    """List a stage directory, following links.

    Links are followed because what they point to (ReFrame's ``readonly_files``, for one) does not exist on
    the remote side. A link to a directory that contains it can't be; one that is relative means the same
    there, any other is refused.

    Args:
        directory: absolute path.

    Raises:
        StagingError: something can't be read, there is no end of entries, or a link leads in a circle.
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
                f"{directory} has more than {MOST_ENTRIES} entries with those behind links; remove some"
            )
    return found


def _walk(
    directory: str, prefix: str, above: tuple[str, ...], indexes: Mapping[str, Index]
) -> Iterator[tuple[str, Entry]]:
    """Yield what lies in a directory.

    Args:
        directory: it.
        prefix: what its entries' paths begin with.
        above: the directories that it lies in, without links.
        indexes: those of the directories that it lies in, by the prefix of theirs. A copied stage directory
            has its index with it.
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
        # Sockets, pipes and devices hold nothing that could travel.


def _placeholder(
    path: str, item: os.DirEntry[str], info: os.stat_result, indexes: Mapping[str, Index]
) -> str | None:
    """Return why a file or directory stayed on the system, None if it is no placeholder."""
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        return None
    for prefix, index in indexes.items():
        reason = index.reason_for(path.removeprefix(prefix), info)
        if reason is not None:
            return reason
    if not stat.S_ISREG(info.st_mode) or stat.S_IMODE(info.st_mode):
        return None
    # By way of a link, it may lie in another stage directory.
    place = os.path.realpath(item.path)
    return reason_of(place, info) if item.is_symlink() else reason_in(place, info)


def _link(item: os.DirEntry[str]) -> Entry:
    return _entry(item.path, Kind.DANGLING, item.stat(follow_symlinks=False), str(Path(item.path).readlink()))


def _entry(source: str, kind: Kind, info: os.stat_result, target: str = "") -> Entry:
    # A directory's time changes with its entries, which speak for themselves.
    mtime = 0 if stat.S_ISDIR(info.st_mode) else info.st_mtime_ns
    size = info.st_size if kind in (Kind.FILE, Kind.PLACEHOLDER) else 0
    return Entry(source, kind, size, mtime, stat.S_IMODE(info.st_mode) & 0o777, target)


def changed(manifest: Manifest, known: Mapping[str, tuple[object, ...]]) -> dict[str, Entry]:
    """Return the entries that differ from what the other side has.

    Args:
        manifest: what is there now.
        known: the marks of what was sent or fetched last.
    """
    return {path: entry for path, entry in manifest.items() if known.get(path) != entry.fingerprint}
