"""Packs and unpacks tar archives, within the root and within a time limit."""

from __future__ import annotations

import os
import tarfile
import time
import zlib
from enum import Enum
from lzma import LZMAError
from typing import IO, TYPE_CHECKING, Literal, cast

from reframe_firecrest.sandbox.errors import CommandError, OperationTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


ReadMode = Literal["r:*", "r:bz2", "r:gz", "r:xz"]
_READ_MODES: dict[str, ReadMode] = {"none": "r:*", "bzip2": "r:bz2", "gzip": "r:gz", "xz": "r:xz"}


class Compression(str, Enum):
    """How an archive is compressed; with `none`, unpacking looks for itself."""

    NONE = "none"
    BZIP2 = "bzip2"
    GZIP = "gzip"
    XZ = "xz"

    @property
    def tar_flags(self) -> tuple[str, ...]:
        """The option of GNU tar that chooses it."""
        return {"none": (), "bzip2": ("-j",), "gzip": ("-z",), "xz": ("-J",)}[self.value]

    @property
    def read_mode(self) -> ReadMode:
        """The mode of `tarfile.open` that reads it."""
        return _READ_MODES[self.value]


def pack_command(source: str, target: str, *, compression: Compression, dereference: bool) -> Sequence[str]:
    """Return the command that packs one file or directory, named without its parents."""
    directory, name = os.path.split(source)
    links = ("--dereference",) if dereference else ()
    return ("tar", *links, *compression.tar_flags, "-cf", target, "-C", directory, "--", name)


def pack_matching_command(source: str, target: str, *, pattern: str, dereference: bool) -> Sequence[str]:
    """Return the command that packs the regular files below the source's parent that match.

    The pattern is GNU find's (Emacs syntax) and has to match the whole of a name like
    `./a/b.txt`. The archive is always gzip; directories and links are never in it (so it
    is with the real gateway).
    """
    links = "--dereference" if dereference else ""
    script = (
        'set -o pipefail; cd -- "$1" && find . -type f -regex "$2" -print0'
        ' | tar $4 -czf "$3" --null --no-recursion --files-from -'
    )
    return ("bash", "-c", script, "bash", os.path.dirname(source), pattern, target, links)  # noqa: PTH120


class _UntilDeadline:
    """A file that can't be read any more once its time is up."""

    def __init__(self, file: IO[bytes], deadline: float) -> None:
        self._file = file
        self._deadline = deadline

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._deadline:
            raise OperationTimeoutError
        return self._file.read(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def unpack(source: Path, target: Path, *, compression: Compression, seconds: float) -> None:
    """Unpack an archive below a directory that exists.

    Python's `data` filter keeps every member below the target: no absolute names, no `..`,
    no links or existing links that lead out.

    Raises:
        CommandError: as GNU tar fails, or a member was refused.
        OperationTimeoutError: it took longer than `seconds`; what was unpacked stays.
    """
    if not target.is_dir():
        raise _tar_failed(f"tar: {target}: Cannot open: No such file or directory")
    try:
        with source.open("rb") as file:
            limited = cast("IO[bytes]", _UntilDeadline(file, time.monotonic() + seconds))
            with tarfile.open(fileobj=limited, mode=compression.read_mode) as archive:
                archive.extractall(target, filter="data")
    except OSError as error:
        name = error.filename or source
        raise _tar_failed(f"tar: {name}: Cannot open: {error.strerror or error}") from None
    except (tarfile.TarError, EOFError, LZMAError, zlib.error) as error:
        raise _tar_failed(f"tar: {source}: {error}") from None


def _tar_failed(complaint: str) -> CommandError:
    return CommandError(2, f"{complaint}\ntar: Error is not recoverable: exiting now")
