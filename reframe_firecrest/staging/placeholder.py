"""Stand-ins for files that stay on the system: placeholders, as any process recognises them.

A check may ask whether a file exists, and how large it is; that a stand-in can answer. `guard` sees to it
that none is read, and `placeholders` that none is taken for a file.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from reframe_firecrest.model.atomic import atomic_file
from reframe_firecrest.model.errors import HostileArchiveError, StagingError, one_line
from reframe_firecrest.staging.placeholder_index import INDEX, Index, content_of
from reframe_firecrest.staging.read_guard import protect
from reframe_firecrest.staging.safe_paths import safe_directory

_NO_PLACE = {
    errno.EBUSY,
    errno.EEXIST,
    errno.EFBIG,
    errno.EINVAL,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
}
"""A name or a size that no file here can have, or a directory in the way."""


def create_placeholder(directory: str, path: str, size: int, reason: str, index: Index | None = None) -> None:
    """Put a stand-in where a file would have been brought.

    Args:
        directory: the stage directory, absolute.
        path: relative to it.
        size: bytes that the file has on the system; the stand-in shows the same and takes little room.
        reason: what a reader is told.
        index: notes it, and is saved by the caller; by default the directory's, which is saved.

    Raises:
        HostileArchiveError: its place leads out of the stage directory, or there is none for it.
        StagingError: it can't be made.
    """
    reason = one_line(reason)
    parent_path, name = os.path.split(path)
    if name in ("", ".", "..", INDEX) or "\0" in name:
        raise HostileArchiveError(f"{path!r} is no name of a file")
    try:
        parent = safe_directory(directory, parent_path)
        target = parent / name
        with atomic_file(target) as file:
            file.write(content_of(reason, size))
            file.truncate(size)
            # Other programs can't read it, unless they run as root.
            os.fchmod(file.fileno(), 0)
    except (OverflowError, UnicodeEncodeError):
        raise HostileArchiveError(f"{path!r} with {size} bytes is no file that there can be here") from None
    except OSError as error:
        kind = HostileArchiveError if error.errno in _NO_PLACE else StagingError
        raise kind(f"no file of {size} bytes can be at {path!r} here: {error.strerror or error}") from None
    protect(target, reason)
    _note(directory, path, reason, index)


def place_closed_directory(directory: str, path: str, reason: str, index: Index | None = None) -> None:
    """Put an empty directory where one is whose entries are not known; listing it raises.

    Its permissions are usual ones: ReFrame must be able to remove it.

    Args:
        directory: the stage directory, absolute.
        path: relative to it.
        reason: what a reader is told.
        index: as for `create_placeholder`.

    Raises:
        HostileArchiveError: its place leads out of the stage directory, or there is none for it.
        StagingError: it can't be made.
    """
    reason = one_line(reason)
    try:
        made = safe_directory(directory, path)
    except FileExistsError:
        raise HostileArchiveError(f"a file is at {path!r} here") from None
    if made == Path(directory):
        raise HostileArchiveError(f"{path!r} is no name of a directory")
    protect(made, reason)
    _note(directory, path, reason, index)


def _note(directory: str, path: str, reason: str, index: Index | None) -> None:
    try:
        noted = Index(directory) if index is None else index
        noted.add(path, reason)
        if index is None:
            noted.save()
    except OSError as error:
        raise StagingError(f"{directory}/{INDEX}: {error.strerror or error}") from None
