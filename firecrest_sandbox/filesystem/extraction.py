"""Extraction of a tar archive below a root: no member and no link may lead out.

The module runs inside the server and as a program in transfer jobs on any node, so it needs only the standard
library. Python's `data` filter would suffice, but exists only since Python 3.10.12 and 3.11.4.
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
    # A hard link to a missing member.
    KeyError,
    # Invalid names, times and numbers.
    ValueError,
    OverflowError,
    RecursionError,
)


class ExtractionError(Exception):
    """GNU tar would fail with this message."""


class OutOfTimeError(Exception):
    """Extraction exceeded its time limit."""


class _UntilDeadline:
    """A file that cannot be read after a deadline."""

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
    """Unpack an archive into an existing directory.

    The current user becomes the owner, and other users get no write permission, as with GNU tar for an
    unprivileged user with the usual umask. Existing files are replaced.

    Raises:
        ExtractionError: GNU tar would fail, or a member would lead out of the root.
        OutOfTimeError: extraction took longer than `seconds`; unpacked files remain.
    """
    if not target.is_dir():
        raise ExtractionError(f"{target}: Cannot open: No such file or directory")
    try:
        with source.open("rb") as file:
            limited = cast("IO[bytes]", _UntilDeadline(file, time.monotonic() + seconds))
            with tarfile.open(fileobj=limited, mode=mode) as archive:
                # Members are checked below. Newer versions of Python would check them again, or warn.
                archive.extraction_filter = staticmethod(lambda member, _: member)
                for member in archive:
                    archive.extract(_checked(member, target, root), target)
    except OSError as error:
        name = error.filename or source
        raise ExtractionError(f"{name}: Cannot open: {error.strerror or error}") from None
    except _DAMAGED as error:
        raise ExtractionError(f"{source}: {error}") from None


def below(path: str, root: Path) -> bool:
    """Return whether a resolved path is the root or below it."""
    return path == str(root) or path.startswith(f"{str(root).rstrip('/')}/")


def _checked(original: tarfile.TarInfo, target: Path, root: Path) -> tarfile.TarInfo:
    member = copy.copy(original)
    member.name = member.name.lstrip("/")
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise ExtractionError(f"{member.name}: Cannot mknod: Operation not permitted")
    if ".." in Path(member.name).parts:
        raise ExtractionError(f"{member.name}: Member name contains '..'")
    path = target / member.name
    destinations = [path.parent]
    if member.issym():
        destinations.append(path.parent / member.linkname)
    elif member.islnk():
        member.linkname = member.linkname.lstrip("/")
        destinations.append(target / member.linkname)
    for destination in destinations:
        if not below(os.path.realpath(destination), root):
            raise ExtractionError(f"{member.name}: Cannot open: leads out of the sandbox")
    if path.is_symlink() or path.is_file():
        path.unlink()
    member.uid, member.gid = os.getuid(), os.getgid()
    member.uname = member.gname = ""
    member.mode &= ~(_WRITABLE_BY_OTHERS | _SET_IDS)
    if member.isdir():
        member.mode |= 0o700
    return member


def main(arguments: list[str]) -> int:
    """Run as a command, and return the exit status.

    Args:
        arguments: archive, target directory, mode of `tarfile.open`, root.
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
