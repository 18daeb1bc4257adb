"""Makes a stage directory here like the one there in what no archive carries: links, and what is gone."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from reframe_firecrest.model.atomic import partial_path
from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.staging.read_guard import forget
from reframe_firecrest.staging.safe_paths import is_inside, safe_directory


def place_link(directory: str, path: str, target: str) -> bool:
    """Make a link as the job made it, if it stays within the stage directory.

    Args:
        directory: the stage directory, absolute.
        path: the link's place, relative to it.
        target: where it points to, relative to the link's place.

    Returns:
        Whether it was made: links that lead out, absolute ones, and those that go up after having gone down
        (another link in between can make them lead out later), are left out, and so are those that can't be.

    Raises:
        HostileArchiveError: its place leads out of the stage directory.
        StagingError: the stage directory can't be written.
    """
    name = PurePosixPath(path).name
    if not name or not target or target.startswith("/") or "\0" in target or _turns_back(target):
        return False
    try:
        parent = safe_directory(directory, str(PurePosixPath(path).parent))
        link = parent / name
        if not is_inside(directory, parent / target) or (link.is_dir() and not link.is_symlink()):
            return False
        partial = partial_path(link)
        try:
            partial.symlink_to(target)
            # A file that was sent may have been replaced by a link there.
            partial.replace(link)
        finally:
            partial.unlink(missing_ok=True)
    except (FileExistsError, ValueError):
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise StagingError(f"link {path!r} can't be made here: {error.strerror or error}") from None
    forget(link)
    return True


def _turns_back(target: str) -> bool:
    parts = PurePosixPath(target).parts
    down = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    return ".." in parts[down:]


def relative_target(path: str, target: str, remote_directory: str) -> str:
    """Return a link's target as it reads here: one that names the remote stage directory becomes relative.

    Args:
        path: the link's place, relative to the stage directory.
        target: as the system shows it.
        remote_directory: the stage directory there.
    """
    if not target.startswith(f"{remote_directory}/"):
        return target
    up = "../" * path.count("/")
    return up + target.removeprefix(f"{remote_directory}/")


def remove_deleted(directory: str, paths: Iterable[str]) -> None:
    """Remove what a job has removed there; directories only if nothing else is left in them.

    Args:
        directory: the stage directory, absolute.
        paths: relative to it. One that is reached through a link, or leads out, is left alone.

    Raises:
        StagingError: something can't be removed.
    """
    for path in sorted(paths, key=lambda item: item.count("/"), reverse=True):
        try:
            if _is_plain(directory, path):
                _remove(Path(directory, path))
        except OSError as error:
            raise StagingError(f"{path!r} can't be removed here: {error.strerror or error}") from None


def _is_plain(directory: str, path: str) -> bool:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith("/") or "\0" in path:
        return False
    return not any(Path(directory, *parts[:depth]).is_symlink() for depth in range(1, len(parts)))


def _remove(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.is_dir() and not any(place.iterdir()):
        place.rmdir()
