"""Inputs that several tests have in common: sent once, and copied by each job when it starts.

Jobs never share a file: each has its own copy, and the original is read-only.
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
"""Smallest size in bytes; for a smaller file, the commands in the script would take nearly as many bytes."""

FILES_A_COMMAND = 100
"""Largest number of files per command in the script."""


@dataclass(frozen=True)
class InputContent:
    """Identity of an input: its content and its name.

    Attributes:
        digest: digest of the content, in hexadecimal.
        name: file name, without directories.
    """

    digest: str
    name: str

    @property
    def directory(self) -> str:
        """Its directory below the store, which contains no other file."""
        return self.digest[:32]

    @property
    def place(self) -> str:
        """Its path below the store."""
        return f"{self.directory}/{self.name}"


def copying(store: str, directory: str, shared: Mapping[str, tuple[InputContent, SentStat]]) -> Iterator[str]:
    """Yield the commands that copy inputs, and that end the shell if one of them fails.

    Each command is a process on the node, so one command copies many files.

    Args:
        store: remote directory of the shared inputs.
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
        yield from (f"cp -- {some} {into} || exit 1" for some in in_chunks(places))
    yield f"cd {shlex.quote(directory)} || exit 1"
    for mode, paths in modes.items():
        yield from (f"chmod {mode:o} -- {some} || exit 1" for some in in_chunks(paths))
    for time, paths in times.items():
        yield from (f"touch -d @{time} -- {some} || exit 1" for some in in_chunks(paths))


def in_chunks(names: Sequence[str]) -> Iterator[str]:
    """Yield the arguments for commands that each take a limited number of files."""
    for at in range(0, len(names), FILES_A_COMMAND):
        yield " ".join(shlex.quote(name) for name in names[at : at + FILES_A_COMMAND])
