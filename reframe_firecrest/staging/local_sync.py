"""Apply links and deletions, which archives do not carry, to a local stage directory."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from reframe_firecrest.model.atomic import partial_path
from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.staging.read_guard import forget
from reframe_firecrest.staging.safe_paths import is_inside, safe_directory


def place_link(directory: str, path: str, target: str) -> bool:
    """Create a link as the job did, if it stays within the stage directory.

    Absolute links, links out of the stage directory and links that this file system refuses are skipped. So
    are targets that go up after going down: another link in between could later make them lead out.

    Args:
        directory: the stage directory, absolute.
        path: the link's path, relative to the stage directory.
        target: the link's target, relative to the link's directory.

    Returns:
        True if the link was created.

    Raises:
        HostileArchiveError: the path leads out of the stage directory.
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
            # The job may have replaced a file that was sent by this link.
            partial.replace(link)
        finally:
            partial.unlink(missing_ok=True)
    except (FileExistsError, ValueError):
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise StagingError(f"link {path!r} can't be created here: {error.strerror or error}") from None
    forget(link)
    return True


def _turns_back(target: str) -> bool:
    parts = PurePosixPath(target).parts
    down = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    return ".." in parts[down:]


def relative_target(path: str, target: str, remote_directory: str) -> str:
    """Return a link's target for the local side; a target in the remote stage directory becomes relative.

    Args:
        path: the link's path, relative to the stage directory.
        target: the link's target on the system.
        remote_directory: the remote stage directory.
    """
    if not target.startswith(f"{remote_directory}/"):
        return target
    up = "../" * path.count("/")
    return up + target.removeprefix(f"{remote_directory}/")


def remove_deleted(directory: str, paths: Iterable[str]) -> None:
    """Remove what a job has removed on the system; directories only if they are empty.

    Args:
        directory: the stage directory, absolute.
        paths: paths relative to it. Paths through a link or out of the stage directory are ignored.

    Raises:
        StagingError: a path can't be removed.
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


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir() and not any(path.iterdir()):
        path.rmdir()
