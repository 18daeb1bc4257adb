"""Archives on their way out."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.errors import StagingError
from reframe_firecrest.staging.manifest import Entry, Kind

BACKDATE = 3 * 86_400
"""Seconds by which files are dated back.

Whatever a job writes is then newer than all that was sent, so that a change shows in a listing, which tells
times to the second only and in the system's own time zone. All files move alike: the order, which Make
needs, stays.
"""

LEVEL = 4
"""Of gzip: packs twice as fast as its default and makes archives a few per cent larger."""


HEADER = 1024
"""Bytes: a tar header and the padding of the last block."""


@dataclass(frozen=True)
class Load:
    """What one stage directory adds to an archive.

    Attributes:
        prefix: where it is unpacked, relative to the directory in which the archive is extracted.
        entries: what travels.
        replaced: other contents for some of the files, such as translated scripts.
    """

    prefix: str
    entries: Mapping[str, Entry]
    replaced: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes before compression, with what the archive needs to name each entry."""
        return sum(
            HEADER + (len(self.replaced[path]) if path in self.replaced else entry.size)
            for path, entry in self.entries.items()
        )


@dataclass(frozen=True)
class Sent:
    """How a file that was sent shows in a remote listing.

    Attributes:
        size: bytes.
        mtime: seconds since the epoch.
        is_file: it is a regular file there; otherwise a directory or a dangling link.
    """

    size: int
    mtime: int
    is_file: bool = True


def pack(loads: Sequence[Load], archive: Path) -> list[dict[str, Sent]]:
    """Write stage directories into one gzipped tar archive.

    Returns, for each load, what was sent by path.

    Raises:
        StagingError: a file can't be read or has changed its size meanwhile.
    """
    sent = []
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=LEVEL, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for load in loads:
            _add_parents(tar, load.prefix)
            sent.append({path: _add(tar, load, path, entry) for path, entry in load.entries.items()})
    return sent


def _add_parents(tar: tarfile.TarFile, prefix: str) -> None:
    """Create the stage directory itself, even if nothing is in it."""
    info = tarfile.TarInfo(prefix)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(info)


def _add(tar: tarfile.TarFile, load: Load, path: str, entry: Entry) -> Sent:
    info = tarfile.TarInfo(f"{load.prefix}/{path}")
    info.mode = entry.mode | 0o600
    info.mtime = max(entry.mtime_ns // 1_000_000_000 - BACKDATE, 0)
    if entry.kind is Kind.DIRECTORY:
        info.type, info.mode = tarfile.DIRTYPE, entry.mode | 0o700
        tar.addfile(info)
    elif entry.kind is Kind.DANGLING:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
        tar.addfile(info)
    elif path in load.replaced:
        info.size = len(load.replaced[path])
        tar.addfile(info, io.BytesIO(load.replaced[path]))
    else:
        info.size = entry.size
        _add_file(tar, info, entry)
    return Sent(info.size, int(info.mtime), is_file=entry.kind is Kind.FILE)


def _add_file(tar: tarfile.TarFile, info: tarfile.TarInfo, entry: Entry) -> None:
    try:
        with Path(entry.source).open("rb") as content:
            tar.addfile(info, content)
    except OSError as error:
        # tarfile says "unexpected end of data" for a file that has shrunk.
        raise StagingError(f"{entry.source} can't be read: {error.strerror or error}") from None
