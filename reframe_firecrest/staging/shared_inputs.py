"""Inputs that several tests have alike: sent once, and copied by each job for itself when it starts.

No two jobs ever share a file: each has a copy of its own, and the one that they copy from can't be written.
"""

from __future__ import annotations

import posixpath
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import dirname

from reframe_firecrest.staging.pack import SentStat

SHARED_FROM = 4096
"""Bytes; what is smaller is sent with each test, since naming it in a script takes nearly as much."""

FILES_A_COMMAND = 100
"""Files that one command of the script names."""


@dataclass(frozen=True)
class InputContent:
    """What makes a file the same as another: its content and its name.

    Attributes:
        digest: of the content, in hexadecimal.
        name: without directories.
    """

    digest: str
    name: str

    @property
    def directory(self) -> str:
        """The directory that it lies in below the store, alone."""
        return self.digest[:32]

    @property
    def place(self) -> str:
        """Where it lies below the store."""
        return f"{self.directory}/{self.name}"


def copying(store: str, directory: str, shared: Mapping[str, tuple[InputContent, SentStat]]) -> Iterator[str]:
    """Yield the commands that copy inputs and end the shell if one fails.

    They are few, since each is a process on the node.

    Args:
        store: remote directory that the inputs lie in.
        directory: the remote stage directory.
        shared: the inputs, by path relative to the stage directory.
    """
    copies: dict[str, list[str]] = defaultdict(list)
    modes: dict[int, list[str]] = defaultdict(list)
    times: dict[int, list[str]] = defaultdict(list)
    for path, (content, sent) in shared.items():
        copies[dirname(path)].append(content.place)
        modes[sent.mode].append(path)
        times[sent.mtime].append(path)
    yield f"cd {shlex.quote(store)} || exit 1"
    for target, places in copies.items():
        into = shlex.quote(posixpath.join(directory, target))
        yield from (f"cp -- {some} {into} || exit 1" for some in _in_chunks(places))
    yield f"cd {shlex.quote(directory)} || exit 1"
    for mode, paths in modes.items():
        yield from (f"chmod {mode:o} -- {some} || exit 1" for some in _in_chunks(paths))
    for time, paths in times.items():
        yield from (f"touch -d @{time} -- {some} || exit 1" for some in _in_chunks(paths))


def _in_chunks(names: Sequence[str]) -> Iterator[str]:
    for at in range(0, len(names), FILES_A_COMMAND):
        yield " ".join(shlex.quote(name) for name in names[at : at + FILES_A_COMMAND])
