"""Creation of placeholders for files that stay on the system.

A check can see that such a file exists and how large it is. `read_guard` prevents reading a placeholder, and
`placeholder_index` recognises one that another process has created.
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
"""Errors of a name or a size that the file system refuses, or of a directory in the file's place."""


def create_placeholder(directory: str, path: str, size: int, reason: str, index: Index | None = None) -> None:
    """Create a placeholder for a file.

    Args:
        directory: the stage directory, absolute.
        path: path relative to the stage directory.
        size: size in bytes of the file on the system; the placeholder is a sparse file of the same size.
        reason: reason for which the file stayed on the system.
        index: index to add it to, which the caller saves; by default the directory's, which is saved here.

    Raises:
        HostileArchiveError: the path is invalid or leads out of the stage directory.
        StagingError: the placeholder can't be created.
    """
    reason = one_line(reason)
    parent_path, name = os.path.split(path)
    if name in ("", ".", "..", INDEX) or "\0" in name:
        raise HostileArchiveError(f"{path!r} is not a file name")
    try:
        parent = safe_directory(directory, parent_path)
        target = parent / name
        with atomic_file(target) as file:
            file.write(content_of(reason, size))
            file.truncate(size)
            # Other programs can't read it, unless they run as root.
            os.fchmod(file.fileno(), 0)
    except (OverflowError, UnicodeEncodeError):
        raise HostileArchiveError(f"{path!r} with {size} bytes is not a valid file on this machine") from None
    except OSError as error:
        kind = HostileArchiveError if error.errno in _NO_PLACE else StagingError
        raise kind(f"{path!r} can't be created here with {size} bytes: {error.strerror or error}") from None
    protect(target, reason)
    _note(directory, path, reason, index)


def place_closed_directory(directory: str, path: str, reason: str, index: Index | None = None) -> None:
    """Create an empty directory for one that can't be listed on the system; listing it raises an error.

    It has normal permissions, because ReFrame must be able to remove it.

    Args:
        directory: the stage directory, absolute.
        path: path relative to the stage directory.
        reason: reason for which its entries are unknown.
        index: as for `create_placeholder`.

    Raises:
        HostileArchiveError: the path is invalid or leads out of the stage directory.
        StagingError: the directory can't be created.
    """
    reason = one_line(reason)
    try:
        created = safe_directory(directory, path)
    except FileExistsError:
        raise HostileArchiveError(f"a file is at {path!r} here") from None
    if created == Path(directory):
        raise HostileArchiveError(f"{path!r} is not a directory name")
    protect(created, reason)
    _note(directory, path, reason, index)


def _note(directory: str, path: str, reason: str, index: Index | None) -> None:
    try:
        used = Index(directory) if index is None else index
        used.add(path, reason)
        if index is None:
            used.save()
    except OSError as error:
        raise StagingError(f"{directory}/{INDEX}: {error.strerror or error}") from None
