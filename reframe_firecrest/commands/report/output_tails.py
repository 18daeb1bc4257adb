"""The last lines of a test's output, which comes from the system and is not trusted."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.model.errors import one_line

LINES = 25
BYTES = 6000
"""Limits for one file."""

# Control sequences of terminals (ECMA-48).
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass(frozen=True)
class Tail:
    """The end of a file.

    Attributes:
        name: name of the file.
        text: its last lines, with printable characters only.
        size: size of the file in bytes.
        cut: the file has more lines.
    """

    name: str
    text: str
    size: int
    cut: bool


def tails_of(directory: str, names: Iterable[str]) -> list[Tail]:
    """Return the ends of the files of a stage directory that exist and are not empty.

    Args:
        directory: absolute.
        names: names of files in it; paths, links and special files are skipped.
    """
    found = (_tail(Path(directory), name) for name in dict.fromkeys(names))
    return [tail for tail in found if tail is not None]


def _tail(directory: Path, name: str) -> Tail | None:
    if Path(name).name != name:
        return None
    try:
        # A job can leave a link to any file of this machine, or a pipe that blocks the reader.
        descriptor = os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return None
        content = os.pread(descriptor, BYTES, max(status.st_size - BYTES, 0))
    finally:
        os.close(descriptor)
    lines = content.decode(errors="replace").splitlines()
    cut = status.st_size > len(content) or len(lines) > LINES
    return Tail(name, "\n".join(map(_printable, lines[-LINES:])), status.st_size, cut)


def _printable(line: str) -> str:
    return one_line(_CONTROL.sub("", line).expandtabs(8))
