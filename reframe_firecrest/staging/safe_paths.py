"""Directories within a stage directory, made without following a link out of it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from reframe_firecrest.model.errors import HostileArchiveError, StagingError


def safe_directory(root: str, relative: str) -> Path:
    """Create a directory below a stage directory, without following a link out of it.

    Args:
        root: the stage directory, absolute.
        relative: path below it.

    Raises:
        HostileArchiveError: the path is invalid or leads out of the stage directory.
        FileExistsError: a file is in its place.
        StagingError: it can't be created.
    """
    current = Path(root)
    try:
        os.fsencode(relative)
        for part in PurePosixPath(relative).parts:
            # POSIX gives a path with two leading slashes a root of its own: "//".
            if part == ".." or part.startswith("/") or "\0" in part:
                raise HostileArchiveError(f"{relative!r} leads out of the stage directory")
            current /= part
            if current.is_symlink():
                if not is_inside(root, current):
                    raise HostileArchiveError(f"{current} is a link that leads out of the stage directory")
            elif not current.is_dir():
                current.mkdir()
    except UnicodeEncodeError:
        raise HostileArchiveError(f"{relative!r} is not a valid file name on this machine") from None
    except FileExistsError:
        raise
    except OSError as error:
        raise StagingError(f"{current} can't be created: {error.strerror or error}") from None
    return current


def is_inside(root: str, path: Path) -> bool:
    """Return whether a path, with all links followed, is inside a directory."""
    real_root = os.path.realpath(root)
    return os.path.commonpath([real_root, os.path.realpath(path)]) == real_root
