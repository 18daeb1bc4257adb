"""Unpacks a tar archive below a root: no member, no link and no existing link leads out.

It runs inside the gateway and, as a program of its own, inside transfer jobs on whatever node,
so it needs nothing but the standard library. Python's own `data` filter would do, but
Python 3.10 and 3.11 have it from 3.10.12 and 3.11.4 on only.
"""

from __future__ import annotations

import copy
import os
import sys
import tarfile
import time
import zlib
from lzma import LZMAError
from pathlib import Path
from typing import IO, Literal, cast

ReadMode = Literal["r:*", "r:bz2", "r:gz", "r:xz"]

_WRITABLE_BY_OTHERS = 0o022
_SET_IDS = 0o7000
_DAMAGED = (
    tarfile.TarError,
    EOFError,
    LZMAError,
    zlib.error,
    # A hard link to something that the archive lacks.
    KeyError,
    # Names, times and numbers that no file can have.
    ValueError,
    OverflowError,
    RecursionError,
)


class ExtractionError(Exception):
    """GNU tar would fail with this complaint."""


class OutOfTimeError(Exception):
    """Unpacking took longer than it may."""


class _UntilDeadline:
    """A file that can't be read any more once its time is up."""

    def __init__(self, file: IO[bytes], deadline: float) -> None:
        self._file = file
        self._deadline = deadline

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._deadline:
            raise OutOfTimeError
        return self._file.read(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def extract(source: Path, target: Path, *, mode: ReadMode, root: Path, seconds: float = float("inf")) -> None:
    """Unpack an archive into a directory that exists.

    Owners become the user who runs this, and nobody else may write (as GNU tar does it for a
    user who isn't root and has the usual umask). Existing files are replaced.

    Raises:
        ExtractionError: as GNU tar fails, or a member would lead out of the root.
        OutOfTimeError: it took longer than `seconds`; what was unpacked stays.
    """
    if not target.is_dir():
        raise ExtractionError(f"{target}: Cannot open: No such file or directory")
    try:
        with source.open("rb") as file:
            limited = cast("IO[bytes]", _UntilDeadline(file, time.monotonic() + seconds))
            with tarfile.open(fileobj=limited, mode=mode) as archive:
                # Members are checked here; later Pythons would check once more, or warn.
                archive.extraction_filter = staticmethod(lambda member, _: member)
                for member in archive:
                    archive.extract(_checked(member, target, root), target)
    except OSError as error:
        name = error.filename or source
        raise ExtractionError(f"{name}: Cannot open: {error.strerror or error}") from None
    except _DAMAGED as error:
        raise ExtractionError(f"{source}: {error}") from None


def below(path: str, root: Path) -> bool:
    """Tell whether a resolved path is the root or below it."""
    return path == str(root) or path.startswith(f"{str(root).rstrip('/')}/")


def _checked(original: tarfile.TarInfo, target: Path, root: Path) -> tarfile.TarInfo:
    member = copy.copy(original)
    member.name = member.name.lstrip("/")
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise ExtractionError(f"{member.name}: Cannot mknod: Operation not permitted")
    if ".." in Path(member.name).parts:
        raise ExtractionError(f"{member.name}: Member name contains '..'")
    place = target / member.name
    leads_to = [place.parent]
    if member.issym():
        leads_to.append(place.parent / member.linkname)
    elif member.islnk():
        member.linkname = member.linkname.lstrip("/")
        leads_to.append(target / member.linkname)
    for path in leads_to:
        if not below(os.path.realpath(path), root):
            raise ExtractionError(f"{member.name}: Cannot open: leads out of the sandbox")
    if place.is_symlink() or place.is_file():
        place.unlink()
    member.uid, member.gid = os.getuid(), os.getgid()
    member.uname = member.gname = ""
    member.mode &= ~(_WRITABLE_BY_OTHERS | _SET_IDS)
    if member.isdir():
        member.mode |= 0o700
    return member


def main(arguments: list[str]) -> int:
    """Unpack as a command does, and return its exit status.

    Args:
        arguments: the archive, the directory, the mode in which to read the archive, the root.
    """
    source, target, mode, root = arguments
    try:
        extract(Path(source), Path(target), mode=cast("ReadMode", mode), root=Path(root))
    except ExtractionError as error:
        print(f"tar: {error}\ntar: Error is not recoverable: exiting now", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
