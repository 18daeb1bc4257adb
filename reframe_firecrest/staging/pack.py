"""Archives of stage directories to send."""

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
"""Seconds by which modification times are set back.

Files that a job writes are then newer than all sent files. So a change shows in a listing, whose times have a
resolution of one second and are in the system's time zone. All times are shifted equally, so their order,
which Make needs, is kept.
"""

LEVEL = 4
"""Level of gzip: twice as fast as the default, with archives a few per cent larger."""

SAMPLE, SAMPLES = 16_384, 16
"""Bytes per file, and number of files, by which the compression ratio is estimated."""

WORTHWHILE = 0.95
"""Largest compression ratio at which an archive is compressed normally."""

HEADER = 1024
"""Bytes of a tar header and of the padding of the last block."""


@dataclass(frozen=True)
class ArchivePart:
    """Part of an archive that belongs to one stage directory.

    Attributes:
        prefix: directory to unpack to, relative to the one in which the archive is extracted.
        entries: entries to send.
        replaced: translated contents of small files, by path.
        digests: digests in hexadecimal of files that must not have changed. Several tests use them, so they
            are sent read-only.
        translated: local files with the translated contents of large files, by path.
    """

    prefix: str
    entries: Mapping[str, Entry]
    replaced: Mapping[str, bytes] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    translated: Mapping[str, Path] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes before compression, including the headers."""
        return sum(
            HEADER + (len(self.replaced[path]) if path in self.replaced else entry.size)
            for path, entry in self.entries.items()
        )

    def is_rewritten(self, path: str) -> bool:
        """Return whether a file is sent with other contents."""
        return path in self.replaced or path in self.translated


@dataclass(frozen=True)
class SentStat:
    """Attributes of a sent entry as a remote listing shows them.

    Attributes:
        size: size in bytes.
        mtime: modification time, in seconds since the epoch.
        is_file: it is a regular file; otherwise a directory or a dangling link.
        mode: permission bits.
    """

    size: int
    mtime: int
    is_file: bool = True
    mode: int = 0o644


def sent_stat_of(entry: Entry, size: int | None = None) -> SentStat:
    """Return an entry's attributes on the system once it has been sent.

    Args:
        entry: the entry.
        size: size in bytes of its translated contents, if any.
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
    """A file whose digest is computed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._digest.update(block)
        return block

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def pack(parts: Sequence[ArchivePart], archive: Path) -> list[dict[str, SentStat]]:
    """Write stage directories to one gzipped tar archive.

    Returns:
        The attributes of the sent entries by path, for each part.

    Raises:
        StagingError: a file can't be read, or its size has changed meanwhile.
    """
    with archive.open("wb") as file:
        return write_archive(parts, file)


class _UntilFailure:
    """A file that ignores writes after one that has failed.

    `GzipFile` (Python 3.12 and newer) writes what it has buffered when it is closed, and again when it is
    collected, where another error would be printed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._failed = False

    def write(self, block: bytes) -> int:
        if self._failed:
            return len(block)
        try:
            return self._file.write(block)
        except BaseException:
            self._failed = True
            raise

    def flush(self) -> None:
        if not self._failed:
            self._file.flush()


def write_archive(parts: Sequence[ArchivePart], raw: BinaryIO) -> list[dict[str, SentStat]]:
    """Write stage directories to an open file; see `pack`."""
    sent = []
    file = cast("BinaryIO", _UntilFailure(raw))
    with (
        gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_level_for(parts), mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar,
    ):
        for part in parts:
            _add_parents(tar, part.prefix)
            sent.append({path: _add(tar, part, path, entry) for path, entry in part.entries.items()})
    return sent


def _level_for(parts: Sequence[ArchivePart]) -> int:
    """Return the level of compression, estimated from a sample of the largest files.

    The archive is in gzip's format at any level, for its checksum.
    """
    files = [
        entry
        for part in parts
        for path, entry in part.entries.items()
        if entry.kind is Kind.FILE and path not in part.replaced and entry.size >= SAMPLE
    ]
    files.sort(key=lambda entry: entry.size, reverse=True)
    total = sum(part.size for part in parts)
    if sum(entry.size for entry in files) < total / 2:
        return LEVEL
    sample = b"".join(_sample(entry) for entry in files[:SAMPLES])
    if len(zlib.compress(sample, 1)) < WORTHWHILE * len(sample):
        return LEVEL
    # Headers compress well, so level 0 is only for archives with few of them.
    headers = HEADER * sum(len(part.entries) for part in parts)
    return 0 if headers < (1 - WORTHWHILE) * total else 1


def _sample(entry: Entry) -> bytes:
    try:
        with Path(entry.source).open("rb") as file:
            file.seek((entry.size - SAMPLE) // 2)
            return file.read(SAMPLE)
    except OSError as error:
        raise StagingError(f"{entry.source} can't be read: {error.strerror or error}") from None


def _add_parents(tar: tarfile.TarFile, prefix: str) -> None:
    """Add the stage directory itself, which may be empty."""
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
        # tarfile raises OSError("unexpected end of data") for a file that has become smaller.
        raise StagingError(f"{source} can't be read: {error.strerror or error}") from None
    if digested.hexdigest() != digest:
        raise StagingError(f"{source} was changed while it was being sent")
