"""Stand-ins for files that stay on the system.

A check may ask whether a file exists, and how large it is; that a stand-in can answer. `guard` sees to it
that none is read.
"""

from __future__ import annotations

import errno
import os
import secrets

from reframe_firecrest.errors import HostileArchiveError, StagingError
from reframe_firecrest.staging.guard import forget, protect
from reframe_firecrest.staging.unpack import safe_directory

__all__ = ["forget", "place_stand_in"]

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


def place_stand_in(directory: str, path: str, size: int, reason: str) -> None:
    """Put a stand-in where a file would have been brought.

    Args:
        directory: the stage directory, absolute.
        path: relative to it.
        size: bytes that the file has on the system; the stand-in shows the same and takes no room.
        reason: what a reader is told.

    Raises:
        HostileArchiveError: its place leads out of the stage directory, or there is none for it.
        StagingError: it can't be made.
    """
    parent_path, name = os.path.split(path)
    if name in ("", ".", "..") or "\0" in name:
        raise HostileArchiveError(f"{path!r} is no name of a file")
    try:
        parent = safe_directory(directory, parent_path)
        target = parent / name
        partial = parent / f".{secrets.token_hex(8)}.part"
        try:
            with partial.open("xb") as file:
                file.truncate(size)
                # Keeps other programs from reading zeros, unless they are root's.
                os.fchmod(file.fileno(), 0)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except (OverflowError, UnicodeEncodeError):
        raise HostileArchiveError(f"{path!r} with {size} bytes is no file that there can be here") from None
    except OSError as error:
        kind = HostileArchiveError if error.errno in _NO_PLACE else StagingError
        raise kind(f"no file of {size} bytes can be at {path!r} here: {error.strerror or error}") from None
    protect(target, reason)
