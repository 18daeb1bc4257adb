"""Archives on their way out."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.model.file_names import to_wire
from reframe_firecrest.staging.manifest import Entry, Kind

BACKDATE = 3 * 86_400
"""Seconds by which files are dated back.

Whatever a job writes is then newer than all that was sent, so that a change shows in a listing, which tells
times to the second only and in the system's own time zone. All files move alike: the order, which Make
needs, stays.
"""

LEVEL = 4
"""Of gzip: packs twice as fast as its default and makes archives a few per cent larger."""

SAMPLE, SAMPLES = 16_384, 16
"""Bytes of a file, and files, from which it is told whether an archive is going to be smaller for packing."""

WORTHWHILE = 0.95
"""An archive that compression makes no smaller than this part is hardly compressed, or not at all."""

HEADER = 1024
"""Bytes: a tar header and the padding of the last block."""


@dataclass(frozen=True)
class ArchivePart:
    """What one stage directory adds to an archive.

    Attributes:
        prefix: where it is unpacked, relative to the directory in which the archive is extracted.
        entries: what travels.
        replaced: other contents for some of the files, such as translated scripts.
        digests: of files that must not have changed since, in hexadecimal: others rely on their contents, and
            so they can't be written there either.
        translated: local files with other contents for some of the files: translated texts that are large.
    """

    prefix: str
    entries: Mapping[str, Entry]
    replaced: Mapping[str, bytes] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    translated: Mapping[str, Path] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes before compression, with what the archive needs to name each entry."""
        return sum(
            HEADER + (len(self.replaced[path]) if path in self.replaced else entry.size)
            for path, entry in self.entries.items()
        )

    def is_rewritten(self, path: str) -> bool:
        """Tell whether something else is sent in the place of a file."""
        return path in self.replaced or path in self.translated


@dataclass(frozen=True)
class SentStat:
    """How a file that was sent shows in a remote listing.

    Attributes:
        size: bytes.
        mtime: seconds since the epoch.
        is_file: it is a regular file there; otherwise a directory or a dangling link.
        mode: permission bits.
    """

    size: int
    mtime: int
    is_file: bool = True
    mode: int = 0o644


def sent_stat_of(entry: Entry, size: int | None = None) -> SentStat:
    """Return how an entry shows on the remote side once it has been sent.

    Args:
        entry: what is sent.
        size: of what is sent in its place, if something is.
    """
    mtime = max(entry.mtime_ns // 1_000_000_000 - BACKDATE, 0)
    owners = 0o700 if entry.kind is Kind.DIRECTORY else 0o600
    return SentStat(
        entry.size if size is None else size,
        int(mtime),
        is_file=entry.kind is Kind.FILE,
        mode=entry.mode | owners,
    )


class _Digested:
    """A file that is digested while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._digest.update(block)
        return block

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def pack(loads: Sequence[ArchivePart], archive: Path) -> list[dict[str, SentStat]]:
    """Write stage directories into one gzipped tar archive.

    Returns, for each load, what was sent by path.

    Raises:
        StagingError: a file can't be read or has changed its size meanwhile.
    """
    sent = []
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=_level_for(loads), mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar,
    ):
        for part in loads:
            _add_parents(tar, part.prefix)
            sent.append({path: _add(tar, part, path, entry) for path, entry in part.entries.items()})
    return sent


def _level_for(loads: Sequence[ArchivePart]) -> int:
    """Return the level of compression that is worth its time, by a sample of the largest files.

    The archive remains one of gzip's in any case, whose checksum tells whether it arrived whole.
    """
    files = [
        entry
        for part in loads
        for path, entry in part.entries.items()
        if entry.kind is Kind.FILE and path not in part.replaced and entry.size >= SAMPLE
    ]
    files.sort(key=lambda entry: entry.size, reverse=True)
    whole = sum(part.size for part in loads)
    if sum(entry.size for entry in files) < whole / 2:
        return LEVEL
    sample = b"".join(_sample(entry) for entry in files[:SAMPLES])
    if len(zlib.compress(sample, 1)) < WORTHWHILE * len(sample):
        return LEVEL
    # What names the entries compresses well, so it must not be much if nothing is compressed.
    headers = HEADER * sum(len(part.entries) for part in loads)
    return 0 if headers < (1 - WORTHWHILE) * whole else 1


def _sample(entry: Entry) -> bytes:
    try:
        with Path(entry.source).open("rb") as file:
            file.seek((entry.size - SAMPLE) // 2)
            return file.read(SAMPLE)
    except OSError as error:
        raise StagingError(f"{entry.source} can't be read: {error.strerror or error}") from None


def _add_parents(tar: tarfile.TarFile, prefix: str) -> None:
    """Create the stage directory itself, even if nothing is in it."""
    info = tarfile.TarInfo(to_wire(prefix))
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(info)


def _add(tar: tarfile.TarFile, part: ArchivePart, path: str, entry: Entry) -> SentStat:
    replaced = part.replaced.get(path)
    source = part.translated.get(path)
    size = len(replaced) if replaced is not None else source.stat().st_size if source else None
    sent = sent_stat_of(entry, size)
    info = tarfile.TarInfo(to_wire(f"{part.prefix}/{path}"))
    info.mode, info.mtime = sent.mode, sent.mtime
    if entry.kind is Kind.DIRECTORY:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif entry.kind is Kind.DANGLING:
        info.type, info.linkname = tarfile.SYMTYPE, to_wire(entry.target)
        tar.addfile(info)
    elif replaced is not None:
        info.size = len(replaced)
        tar.addfile(info, io.BytesIO(replaced))
    else:
        info.size = sent.size
        if path in part.digests:
            info.mode = 0o400
        _add_file(tar, info, str(source or entry.source), part.digests.get(path))
    return sent


def _add_file(tar: tarfile.TarFile, info: tarfile.TarInfo, source: str, digest: str | None) -> None:
    try:
        with Path(source).open("rb") as content:
            if digest is None:
                tar.addfile(info, content)
                return
            digested = _Digested(content)
            tar.addfile(info, cast("BinaryIO", digested))
    except OSError as error:
        # tarfile says "unexpected end of data" for a file that has shrunk.
        raise StagingError(f"{source} can't be read: {error.strerror or error}") from None
    if digested.hexdigest() != digest:
        raise StagingError(f"{source} was changed while it was being sent")
