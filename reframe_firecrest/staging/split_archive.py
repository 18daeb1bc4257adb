"""Archives that travel in parts, which a job joins and unpacks before its first command.

The gateway accepts each part directly, so no transfer job is needed. Several jobs may take files from one
archive. A file is unpacked beside the stage directories, gets its attributes and is renamed, so it appears
complete or not at all.
"""

from __future__ import annotations

import hashlib
import posixpath
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.staging.pack import ArchivePart, SentStat, write_archive
from reframe_firecrest.staging.shared_inputs import FILES_A_COMMAND, in_chunks

TAKE_OVER = 120
"""Seconds after which a job no longer waits for another one that unpacks the same files."""


class OversizeError(StagingError):
    """A packed archive is larger than it may be."""


@dataclass(frozen=True)
class SplitArchive:
    """A gzipped tar archive on the system, in parts.

    Attributes:
        directory: absolute path of the directory of the parts.
        parts: their names in it, in order.
        digest: SHA-256 digest of all parts together, in hexadecimal.
        files: number of files in the archive.
    """

    directory: str
    parts: tuple[str, ...]
    digest: str
    files: int


@dataclass(frozen=True)
class Unpacking:
    """Files that a job takes from a split archive.

    Attributes:
        archive: the archive.
        target: absolute path of the stage directory.
        files: for each path in the stage directory, the name in the archive and the file's attributes. The
            name consists of a number and the path's last component.
        once: path of a marker for files that several jobs, or tasks of an array, need: only the first of them
            unpacks the files, and the others wait. Empty if only one job needs them.
        is_complete: these are all files of the archive.
    """

    archive: SplitArchive
    target: str
    files: Mapping[str, tuple[str, SentStat]]
    once: str = ""
    is_complete: bool = True


class _Measured:
    """A file that is written with a limit of its size; its digest is computed meanwhile."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._left = limit
        self._digest = hashlib.sha256()

    def write(self, block: bytes) -> int:
        self._left -= len(block)
        if self._left < 0:
            raise OversizeError("the packed files are larger than allowed")
        self._digest.update(block)
        return self._file.write(block)

    def flush(self) -> None:
        self._file.flush()

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def pack_limited(part: ArchivePart, archive: Path, limit: int) -> tuple[dict[str, SentStat], str]:
    """Write an archive of limited size.

    Args:
        part: the files.
        archive: the file to write.
        limit: bytes that it may have.

    Returns:
        The attributes of the files by path, and the digest of the archive.

    Raises:
        OversizeError: the archive would be larger.
        StagingError: a file can't be read, or has changed meanwhile.
    """
    with archive.open("wb") as file:
        measured = _Measured(file, limit)
        [sent] = write_archive([part], cast("BinaryIO", measured))
    return sent, measured.hexdigest()


def unpacking(wanted: Unpacking, scratch: str) -> Iterator[str]:
    """Yield the commands that unpack files, and that end the shell if one of them fails.

    Args:
        wanted: the files.
        scratch: a directory that no other job uses at the same time, as a word of the shell.
    """
    yield f"cd {shlex.quote(wanted.archive.directory)} || exit 1"
    if not wanted.once:
        yield from _unpacking(wanted, scratch)
        return
    done, lock = (shlex.quote(f"{wanted.once}.{name}") for name in ("done", "lock"))
    # Creating a link is atomic. The lock is a job's own if the job was requeued. The lock of another job that
    # was killed is ignored after a while: the files are replaced by the same ones then.
    yield "__reframe_firecrest_me=${SLURM_JOB_ID:-$$}"
    yield f"__reframe_firecrest_left={TAKE_OVER}"
    yield f'until [ -L {done} ] || command ln -sn "$__reframe_firecrest_me" {lock} 2>/dev/null ||'
    yield f'[ "$(command readlink {lock} 2>/dev/null)" = "$__reframe_firecrest_me" ] ||'
    yield '[ "$__reframe_firecrest_left" -le 0 ]; do'
    yield "command sleep 1 || :; __reframe_firecrest_left=$((__reframe_firecrest_left - 1)); done"
    yield f"if ! [ -L {done} ]; then ("
    yield from _unpacking(wanted, scratch)
    yield f") || {{ command rm -f {lock}; exit 1; }}"
    yield f'command ln -sn "$__reframe_firecrest_me" {done} 2>/dev/null || [ -L {done} ] || exit 1'
    yield "fi"


def _unpacking(wanted: Unpacking, scratch: str) -> Iterator[str]:
    archive = wanted.archive
    parts = " ".join(map(shlex.quote, archive.parts))
    which = archive.parts[0] + (f" to {archive.parts[-1]}" if len(archive.parts) > 1 else "")
    yield "if command -v sha256sum >/dev/null 2>&1; then"
    yield f"__reframe_firecrest_sum=$(command cat {parts} | command sha256sum) || exit 1"
    yield f'[ "${{__reframe_firecrest_sum%% *}}" = {archive.digest} ]'
    # gzip's own checksum is weaker, but present on any node that can unpack the archive.
    yield f"else command cat {parts} | command gzip -t; fi || {{"
    where = shlex.quote(f"{archive.directory}/{which}")
    yield f"echo 'a part is missing or damaged:' {where} >&2; exit 1; }}"
    yield f"command rm -rf {scratch}; command mkdir -p {scratch} || exit 1"
    tar = f"command tar -xof - -C {scratch}{_chosen(wanted)}"
    yield f"command cat {parts} | command gzip -dc | {tar} || exit 1"
    yield f"cd {scratch} || exit 1"
    yield from _placing(wanted)
    yield f"cd / && command rm -rf {scratch}"


def _chosen(wanted: Unpacking) -> str:
    """Return the arguments of ``tar`` that select files; none if the job takes about all of them."""
    directories = {posixpath.dirname(member) for member, _ in wanted.files.values()}
    if wanted.is_complete or len(directories) > FILES_A_COMMAND:
        return ""
    return "".join(f" ./{directory}" for directory in sorted(directories))


def _placing(wanted: Unpacking) -> Iterator[str]:
    """Yield the commands that give the unpacked files their attributes and their places."""
    modes: dict[int, list[str]] = defaultdict(list)
    times: dict[int, list[str]] = defaultdict(list)
    moves: dict[str, list[str]] = defaultdict(list)
    used: set[str] = set()
    for number, (path, (member, sent)) in enumerate(wanted.files.items()):
        name = member
        if member in used:
            name = f"again-{number}/{posixpath.basename(member)}"
            source, target = shlex.quote(member), shlex.quote(name)
            yield f"mkdir {posixpath.dirname(name)} && cp -- {source} {target} || exit 1"
        used.add(member)
        modes[sent.mode].append(name)
        times[sent.mtime].append(name)
        moves[posixpath.dirname(path)].append(name)
    for mode, names in modes.items():
        yield from (f"chmod {mode:o} -- {some} || exit 1" for some in in_chunks(names))
    for time, names in times.items():
        yield from (f"touch -d @{time} -- {some} || exit 1" for some in in_chunks(names))
    for directory, names in moves.items():
        into = shlex.quote(posixpath.join(wanted.target, directory))
        yield from (f"mv -f -- {some} {into}/ || exit 1" for some in in_chunks(names))


def part_sizes(size: int, limit: int) -> Sequence[tuple[int, int]]:
    """Return the position and the size of each part of an archive.

    Args:
        size: bytes of the archive.
        limit: bytes of a part.
    """
    return [(at, min(limit, size - at)) for at in range(0, size, limit)]
