"""Commands that pack and unpack tar archives."""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import TYPE_CHECKING

from firecrest_sandbox.filesystem import extraction
from firecrest_sandbox.filesystem.extraction import ReadMode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_READ_MODES: dict[str, ReadMode] = {"none": "r:*", "bzip2": "r:bz2", "gzip": "r:gz", "xz": "r:xz"}


class Compression(str, Enum):
    """Compression of an archive. With `none`, extraction detects the compression."""

    NONE = "none"
    BZIP2 = "bzip2"
    GZIP = "gzip"
    XZ = "xz"

    @property
    def tar_flags(self) -> tuple[str, ...]:
        """The option of GNU tar."""
        return {"none": (), "bzip2": ("-j",), "gzip": ("-z",), "xz": ("-J",)}[self.value]

    @property
    def read_mode(self) -> ReadMode:
        """The mode of `tarfile.open`."""
        return _READ_MODES[self.value]


def pack_command(source: str, target: str, *, compression: Compression, dereference: bool) -> Sequence[str]:
    """Return the command that packs one file or directory, without its parents in the names."""
    directory, name = os.path.split(source)
    links = ("--dereference",) if dereference else ()
    return ("tar", *links, *compression.tar_flags, "-cf", target, "-C", directory, "--", name)


def pack_matching_command(source: str, target: str, *, pattern: str, dereference: bool) -> Sequence[str]:
    """Return the command that packs the matching regular files below the source's parent.

    The pattern is a regular expression of GNU find (Emacs syntax) that matches a complete name like
    `./a/b.txt`. As in the real gateway, the archive is always gzip, contains no directories or links, and an
    unreadable directory is no error.
    """
    links = "--dereference" if dereference else ""
    script = (
        'cd -- "$1" && find . -type f -regex "$2" -print0'
        ' | tar $4 -czf "$3" --null --no-recursion --files-from -'
    )
    return ("bash", "-c", script, "bash", os.path.dirname(source), pattern, target, links)  # noqa: PTH120


def unpack_command(source: str, target: str, *, compression: Compression, root: Path) -> Sequence[str]:
    """Return the command that unpacks an archive in a job, without leaving the root."""
    python = (sys.executable, "-I", "-S", os.path.abspath(extraction.__file__))  # noqa: PTH100
    return (*python, source, target, compression.read_mode, str(root))
