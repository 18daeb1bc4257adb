"""Unpacking of received archives, which are treated as hostile.

Only requested files are unpacked, nothing outside the stage directory is written, and each file appears
complete or not at all. The requested files limit an archive's cost in bytes and memory.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

from reframe_firecrest.model.atomic import KeepTarget, atomic_file
from reframe_firecrest.model.errors import DamagedArchiveError, HostileArchiveError, StagingError
from reframe_firecrest.model.file_names import from_wire
from reframe_firecrest.staging.inspection import CHUNK, digest_of
from reframe_firecrest.staging.read_guard import forget
from reframe_firecrest.staging.safe_paths import safe_directory

_DAMAGED = (
    tarfile.TarError,
    EOFError,
    zlib.error,
    gzip.BadGzipFile,
    # tarfile raises these on malformed headers.
    ValueError,
    OverflowError,
    RecursionError,
)

PERMISSIONS = 0o755
"""Permissions that an archive may set: no setuid, no writing by others."""

GROWTH = 1 << 20
"""Bytes that a file may have beyond twice its listed size: a log may have grown since."""

UNASKED_BYTES = 8 << 30
"""Bytes that an archive may have beyond the requested files: the pattern that selects them is coarse."""

UNASKED_MEMBERS = 100_000
"""Members that an archive may have beyond the requested files; tarfile keeps all of them in memory."""

HEADER_BYTES = 1 << 20
"""Bytes of headers between two files, which tarfile keeps in memory. A name has at most 4096 bytes."""


@dataclass
class Unpacked:
    """Result of unpacking an archive, by the members' names.

    Attributes:
        placed: files that have been unpacked.
        refused: files that have been refused, with the reason.
    """

    placed: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Destination:
    """Destination of an archived file.

    Attributes:
        directory: the stage directory, absolute.
        path: path relative to the stage directory.
        size: listed size in bytes; a file larger than `most` is refused.
        suspect: a local file with the same content is kept, with its modification time, or as a link.
        sent: digest of the content that was sent, if it differs from the local file's.
    """

    directory: str
    path: str
    size: int
    suspect: bool = False
    sent: str | None = None

    @property
    def most(self) -> int:
        """Largest size in bytes that is accepted."""
        return 2 * self.size + GROWTH


class _Rationed:
    """A stream with a limit of bytes that can be read, which is raised from member to member."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.allow(0)

    def allow(self, size: int) -> None:
        self._left = max(size, 0) + HEADER_BYTES

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise HostileArchiveError(
                f"an archive from the remote side has headers of more than {HEADER_BYTES} bytes"
            )
        return content


def unpack(archive: Path, wanted: Mapping[str, Destination]) -> Unpacked:
    """Unpack the requested files of a gzipped tar archive.

    Args:
        archive: path of the archive.
        wanted: destinations by the members' names, without a leading ``./``.

    Raises:
        HostileArchiveError: the archive contains far more than the requested files.
        DamagedArchiveError: the archive is damaged.
        StagingError: the stage directory can't be written.
    """
    result = Unpacked()
    try:
        _verify(archive, wanted.values())
        with gzip.open(archive) as plain:
            source = _Rationed(cast("IO[bytes]", plain))
            with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|", encoding="utf-8") as tar:
                for number, member in enumerate(tar):
                    if number >= 2 * len(wanted) + UNASKED_MEMBERS:
                        raise HostileArchiveError(
                            f"an archive from the remote side has more than {number} members; "
                            f"{len(wanted)} were requested"
                        )
                    source.allow(member.size)
                    _unpack_member(tar, member, wanted, result)
                    source.allow(0)
    except _DAMAGED as error:
        raise DamagedArchiveError(f"an archive from the remote side is damaged: {error}") from None
    except OSError as error:
        raise StagingError(f"{error.filename or archive}: {error.strerror or error}") from None
    return result


def _verify(archive: Path, wanted: Iterable[Destination]) -> None:
    """Read an archive to its end, where its checksum is, so that no file of a damaged one is unpacked."""
    listed = sum(goal.size for goal in wanted)
    left = 2 * listed + UNASKED_BYTES
    with gzip.open(archive) as plain:
        while piece := plain.read(CHUNK):
            left -= len(piece)
            if left < 0:
                raise HostileArchiveError(
                    f"an archive from the remote side contains far more than was listed: {listed} bytes"
                )


def _unpack_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, wanted: Mapping[str, Destination], result: Unpacked
) -> None:
    name = from_wire(member.name.removeprefix("./"))
    content = None if member.islnk() or member.issym() else tar.extractfile(member)
    if name in wanted and name not in result.placed:
        goal = wanted[name]
        try:
            _take(content, member, goal, wanted, result.placed)
        except HostileArchiveError as error:
            result.refused[name] = str(error)
        except OSError as error:
            place = os.path.join(goal.directory, goal.path)  # noqa: PTH118 - as it was listed
            raise StagingError(f"{place}: {error.strerror or error}") from None
        else:
            result.placed.add(name)
            result.refused.pop(name, None)
    # Skip the content of a member that was not unpacked, so that only headers precede the next member. The
    # holes of a sparse file are not in the archive, and reading them may take forever.
    while content is not None and not member.issparse() and content.read(CHUNK):
        pass


def _take(
    content: IO[bytes] | None,
    member: tarfile.TarInfo,
    goal: Destination,
    wanted: Mapping[str, Destination],
    placed: set[str],
) -> None:
    first = from_wire(member.linkname.removeprefix("./"))
    if member.islnk() and first in placed:
        # tar stores the second name of a file as a hard link to the first.
        original = Path(wanted[first].directory, wanted[first].path)
        _check_size(original.stat().st_size, goal)
        with original.open("rb") as again:
            _place(again, goal, member)
        return
    if content is None or not member.isreg():
        raise HostileArchiveError(f"{goal.path} is not a plain file in the archive")
    _check_size(member.size, goal)
    _place(content, goal, member)


def _check_size(size: int, goal: Destination) -> None:
    if not 0 <= size <= goal.most:
        raise HostileArchiveError(f"{goal.path} was listed with {goal.size} bytes, but has {size}")


def _place(content: IO[bytes], goal: Destination, member: tarfile.TarInfo) -> None:
    """Write a file atomically, unless the local one is the same."""
    path = PurePosixPath(goal.path)
    if path.name in ("", ".."):
        raise HostileArchiveError(f"{goal.path!r} is not a file name")
    target = safe_directory(goal.directory, str(path.parent)) / path.name
    _clear_directory(target)
    with atomic_file(target, 0o600) as out:
        shutil.copyfileobj(content, out, CHUNK)
        out.flush()
        if goal.suspect and digest_of(out.name) == (goal.sent or _digest_of(target)):
            raise KeepTarget
        os.fchmod(out.fileno(), (member.mode & PERMISSIONS) | 0o600)
        _date(out.fileno(), member)
    forget(target)


def place_file(source: Path, goal: Destination) -> None:
    """Copy a file that was downloaded individually to its destination.

    Args:
        source: the downloaded file.
        goal: its destination; the file may be larger than listed, but not smaller.

    Raises:
        HostileArchiveError: the destination is outside the stage directory.
        StagingError: the file is incomplete, or can't be written.
    """
    size = source.stat().st_size
    if size < goal.size:
        raise StagingError(f"{goal.path} was listed with {goal.size} bytes, but {size} were received")
    member = tarfile.TarInfo(goal.path)
    member.mtime, member.mode = int(source.stat().st_mtime), 0o644
    try:
        with source.open("rb") as content:
            _place(content, goal, member)
    except FileExistsError as error:
        raise StagingError(f"{error.filename}: {error.strerror}") from None
    except OSError as error:
        raise StagingError(f"{goal.directory}/{goal.path}: {error.strerror or error}") from None


def _digest_of(path: Path) -> str | None:
    try:
        return digest_of(str(path))
    except OSError:
        return None


def _date(descriptor: int, member: tarfile.TarInfo) -> None:
    try:
        os.utime(descriptor, (member.mtime, member.mtime))
    except (ValueError, OverflowError):
        raise HostileArchiveError(f"{member.name} has an impossible modification time") from None


def _clear_directory(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        raise StagingError(f"{target} is a directory here and a file on the remote side")
