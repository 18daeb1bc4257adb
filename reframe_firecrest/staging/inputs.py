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

from reframe_firecrest.staging.pack import Sent

SHARED_FROM = 4096
"""Bytes; what is smaller is sent with each test, since naming it in a script takes nearly as much."""

FILES_A_COMMAND = 100
"""Files that one command of the script names."""


@dataclass(frozen=True)
class Content:
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


def with_inputs(
    script: bytes, store: str, directory: str, shared: Mapping[str, tuple[Content, Sent]]
) -> bytes:
    """Have a job script copy inputs before its first command.

    Args:
        script: the job script. Its directives for Slurm come before the first command, so nothing may be put
            before them.
        store: remote directory that the inputs lie in.
        directory: the remote stage directory.
        shared: the inputs, at least one, by path relative to the stage directory.
    """
    lines = script.split(b"\n")
    commands = (at for at, line in enumerate(lines) if line.strip() and not line.startswith(b"#"))
    first = next(commands, len(lines))
    copying = "\n".join(_copying(store, directory, shared)).encode("utf-8", "surrogateescape")
    return b"\n".join([*lines[:first], copying, *lines[first:]])


def _copying(store: str, directory: str, shared: Mapping[str, tuple[Content, Sent]]) -> Iterator[str]:
    """Yield the lines that copy: few commands, since each is a process on the node."""
    copies: dict[str, list[str]] = defaultdict(list)
    modes: dict[int, list[str]] = defaultdict(list)
    times: dict[int, list[str]] = defaultdict(list)
    for path, (content, sent) in shared.items():
        copies[dirname(path)].append(content.place)
        modes[sent.mode].append(path)
        times[sent.mtime].append(path)
    some_input = shlex.quote(posixpath.join(directory, next(iter(shared))))
    yield "# reframe-firecrest: inputs that other tests have too were sent once; here they are copied."
    # Whoever runs the script again, after the session, has the copies already.
    yield f"if [ -d {shlex.quote(store)} ] || ! [ -e {some_input} ]; then ("
    yield f"cd {shlex.quote(store)} || exit 1"
    for target, places in copies.items():
        into = shlex.quote(posixpath.join(directory, target))
        yield from (f"cp -- {some} {into} || exit 1" for some in _in_chunks(places))
    yield f"cd {shlex.quote(directory)} || exit 1"
    for mode, paths in modes.items():
        yield from (f"chmod {mode:o} -- {some} || exit 1" for some in _in_chunks(paths))
    for time, paths in times.items():
        yield from (f"touch -d @{time} -- {some} || exit 1" for some in _in_chunks(paths))
    yield ") || { echo 'reframe-firecrest: inputs could not be copied on the system' >&2; exit 1; }; fi"


def _in_chunks(names: Sequence[str]) -> Iterator[str]:
    for at in range(0, len(names), FILES_A_COMMAND):
        yield " ".join(shlex.quote(name) for name in names[at : at + FILES_A_COMMAND])
