"""Unpacks tar archives below the root: no member, no link and no existing link leads out.

Python's own `data` filter would do, but Python 3.10 and 3.11 have it from 3.10.12 and
3.11.4 on only.
"""

from __future__ import annotations

import copy
import os
import tarfile
import time
import zlib
from lzma import LZMAError
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from reframe_firecrest.sandbox.errors import CommandError, OperationTimeoutError
from reframe_firecrest.sandbox.filesystem.paths import below

if TYPE_CHECKING:
    from reframe_firecrest.sandbox.filesystem.archives import Compression

_WRITABLE_BY_OTHERS = 0o022
_SET_IDS = 0o7000


class _UntilDeadline:
    """A file that can't be read any more once its time is up."""

    def __init__(self, file: IO[bytes], deadline: float) -> None:
        self._file = file
        self._deadline = deadline

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._deadline:
            raise OperationTimeoutError
        return self._file.read(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def unpack(source: Path, target: Path, *, compression: Compression, root: Path, seconds: float) -> None:
    """Unpack an archive into a directory that exists.

    Owners become the sandbox's user, and nobody else may write (as GNU tar does it for a
    user who isn't root and has the usual umask). Existing files are replaced.

    Raises:
        CommandError: as GNU tar fails, or a member would lead out of the root.
        OperationTimeoutError: it took longer than `seconds`; what was unpacked stays.
    """
    if not target.is_dir():
        raise _tar_failed(f"{target}: Cannot open: No such file or directory")
    try:
        with source.open("rb") as file:
            limited = cast("IO[bytes]", _UntilDeadline(file, time.monotonic() + seconds))
            with tarfile.open(fileobj=limited, mode=compression.read_mode) as archive:
                # Members are checked here; later Pythons would check once more, or warn.
                archive.extraction_filter = staticmethod(lambda member, _: member)
                for member in archive:
                    archive.extract(_checked(member, target, root), target)
    except OSError as error:
        name = error.filename or source
        raise _tar_failed(f"{name}: Cannot open: {error.strerror or error}") from None
    # A hard link to something that the archive lacks is a KeyError.
    except (tarfile.TarError, EOFError, KeyError, LZMAError, zlib.error) as error:
        raise _tar_failed(f"{source}: {error}") from None


def _checked(original: tarfile.TarInfo, target: Path, root: Path) -> tarfile.TarInfo:
    member = copy.copy(original)
    member.name = member.name.lstrip("/")
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise _tar_failed(f"{member.name}: Cannot mknod: Operation not permitted")
    if ".." in Path(member.name).parts:
        raise _tar_failed(f"{member.name}: Member name contains '..'")
    place = target / member.name
    leads_to = [place.parent]
    if member.issym():
        leads_to.append(place.parent / member.linkname)
    elif member.islnk():
        member.linkname = member.linkname.lstrip("/")
        leads_to.append(target / member.linkname)
    for path in leads_to:
        if not below(os.path.realpath(path), root):
            raise _tar_failed(f"{member.name}: Cannot open: leads out of the sandbox")
    if place.is_symlink() or place.is_file():
        place.unlink()
    member.uid, member.gid = os.getuid(), os.getgid()
    member.uname = member.gname = ""
    member.mode &= ~(_WRITABLE_BY_OTHERS | _SET_IDS)
    if member.isdir():
        member.mode |= 0o700
    return member


def _tar_failed(complaint: str) -> CommandError:
    return CommandError(2, f"tar: {complaint}\ntar: Error is not recoverable: exiting now")
