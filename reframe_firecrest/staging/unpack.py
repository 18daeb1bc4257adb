"""Archives on their way in, unpacked as hostile.

Nothing but what was asked for is taken, nothing outside the stage directory is touched, and each file is
either whole or not there.
"""

from __future__ import annotations

import gzip
import os
import secrets
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from reframe_firecrest.errors import HostileArchiveError, StagingError

_DAMAGED = (
    tarfile.TarError,
    EOFError,
    zlib.error,
    gzip.BadGzipFile,
    # What else tarfile raises on headers that nobody would write.
    ValueError,
    OverflowError,
    RecursionError,
)

PERMISSIONS = 0o755
"""No archive may set more: no setuid, no writing by others."""


@dataclass
class Unpacked:
    """What came of an archive, by the members' names.

    Attributes:
        placed: files that are in their place now.
        refused: files that were not taken, with the reason.
    """

    placed: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Destination:
    """Where an archived file goes.

    Attributes:
        directory: the stage directory, absolute.
        path: relative to it.
        size: bytes that the listing promised; more than twice as many and 1 MiB on top are not taken.
    """

    directory: str
    path: str
    size: int


def unpack(archive: Path, wanted: Mapping[str, Destination]) -> Unpacked:
    """Take the wanted files out of a gzipped tar archive.

    Args:
        archive: a local file.
        wanted: destinations by the members' names, without a ``./`` in front.

    Raises:
        StagingError: the archive is damaged, or the stage directory can't be written.
    """
    result = Unpacked()
    try:
        _verify(archive)
        with gzip.open(archive) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name in wanted and name not in result.placed:
                    try:
                        _take(tar, member, wanted, name, result.placed)
                    except HostileArchiveError as error:
                        result.refused[name] = str(error)
                    else:
                        result.placed.add(name)
    except _DAMAGED as error:
        raise StagingError(f"an archive from the remote side is damaged: {error}") from None
    except OSError as error:
        raise StagingError(f"{error.filename or archive}: {error.strerror or error}") from None
    return result


def _verify(archive: Path) -> None:
    """Read an archive to its end, where its checksum stands: a damaged one must not leave a single file."""
    with gzip.open(archive) as plain:
        while plain.read(1 << 20):
            pass


def _take(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    wanted: Mapping[str, Destination],
    name: str,
    placed: set[str],
) -> None:
    goal = wanted[name]
    first = member.linkname.removeprefix("./")
    if member.islnk() and first in placed:
        # tar writes the second name of one file as a link to the first.
        original = Path(wanted[first].directory, wanted[first].path)
        with original.open("rb") as content:
            _place(content, goal, member)
        return
    content_in = tar.extractfile(member) if member.isreg() else None
    if content_in is None:
        raise HostileArchiveError(f"{goal.path} is not a plain file in the archive")
    if not 0 <= member.size <= 2 * goal.size + (1 << 20):
        raise HostileArchiveError(f"{goal.path} was listed with {goal.size} bytes, but has {member.size}")
    _place(content_in, goal, member)


def _place(content: IO[bytes], goal: Destination, member: tarfile.TarInfo) -> None:
    """Write a file beside its place, then move it there in one step."""
    parent = safe_directory(goal.directory, str(PurePosixPath(goal.path).parent))
    target = parent / PurePosixPath(goal.path).name
    _clear_directory(target)
    partial = parent / f".{secrets.token_hex(8)}.part"
    try:
        # O_EXCL follows no link either, so none that a job left behind decides where the bytes go.
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            shutil.copyfileobj(content, out, 1 << 20)
            os.fchmod(out.fileno(), (member.mode & PERMISSIONS) | 0o600)
        _date(partial, member)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _date(path: Path, member: tarfile.TarInfo) -> None:
    try:
        os.utime(path, (member.mtime, member.mtime))
    except (ValueError, OverflowError):
        raise HostileArchiveError(f"{member.name} has an impossible modification time") from None


def _clear_directory(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        raise StagingError(f"{target} is a directory here and a file on the remote side")


def safe_directory(root: str, relative: str) -> Path:
    """Create a directory below a stage directory, without ever following a link out of it.

    Args:
        root: the stage directory, absolute.
        relative: path below it.

    Raises:
        HostileArchiveError: the path leaves the stage directory.
    """
    current = Path(root)
    for part in PurePosixPath(relative).parts:
        if part in ("..", "/") or "\0" in part:
            raise HostileArchiveError(f"{relative!r} leads out of the stage directory")
        current /= part
        if current.is_symlink():
            if not is_inside(root, current):
                raise HostileArchiveError(f"{current} is a link that leads out of the stage directory")
        elif not current.is_dir():
            current.mkdir()
    return current


def is_inside(root: str, path: Path) -> bool:
    """Tell whether a path, with all links followed, lies in a directory."""
    real_root = os.path.realpath(root)
    return os.path.commonpath([real_root, os.path.realpath(path)]) == real_root
