"""The last lines of what a test printed. It comes from the system and is taken for hostile."""

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
"""Of one file, at most."""

# ECMA-48: what terminals take for colours and movements.
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass(frozen=True)
class Tail:
    """The end of a file.

    Attributes:
        name: the file's.
        text: printable but for newlines.
        size: bytes of the whole file.
        cut: there is more before it.
    """

    name: str
    text: str
    size: int
    cut: bool


def tails_of(directory: str, names: Iterable[str]) -> list[Tail]:
    """Return the ends of those files of a stage directory that are there and not empty.

    Args:
        directory: absolute.
        names: of files in it; others are passed over, as are links and whatever is no file.
    """
    found = (_tail(Path(directory), name) for name in dict.fromkeys(names))
    return [tail for tail in found if tail is not None]


def _tail(directory: Path, name: str) -> Tail | None:
    if Path(name).name != name:
        return None
    try:
        # A job can leave a link to any file here, or a pipe on which reading would wait.
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
