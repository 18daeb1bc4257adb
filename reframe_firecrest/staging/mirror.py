"""Makes a stage directory here like the one there in what no archive carries: links, and what is gone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from reframe_firecrest.staging.unpack import is_inside, safe_directory


def place_link(directory: str, path: str, target: str) -> bool:
    """Make a link as the job made it, if it stays within the stage directory.

    Args:
        directory: the stage directory, absolute.
        path: the link's place, relative to it.
        target: where it points to, relative to the link's place.

    Returns:
        Whether it was made: links that lead out, absolute ones, and those that go up after having gone down
        (another link in between can make them lead out later), are left out.

    Raises:
        HostileArchiveError: its place leads out of the stage directory.
    """
    if target.startswith("/") or "\0" in target or _turns_back(target):
        return False
    parent = safe_directory(directory, str(PurePosixPath(path).parent))
    if not is_inside(directory, parent / target):
        return False
    link = parent / PurePosixPath(path).name
    if link.is_dir() and not link.is_symlink():
        return False
    # A file that was sent may have been replaced by a link there.
    link.unlink(missing_ok=True)
    link.symlink_to(target)
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


def remove_gone(directory: str, paths: Iterable[str]) -> None:
    """Remove what a job has removed there; directories only if nothing else is left in them.

    Args:
        directory: the stage directory, absolute.
        paths: relative to it. One that is reached through a link is left alone: it may lie elsewhere.
    """
    for path in sorted(paths, key=lambda item: item.count("/"), reverse=True):
        place = Path(directory, path)
        if any(Path(directory, *parents).is_symlink() for parents in _above(path)):
            continue
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _above(path: str) -> list[tuple[str, ...]]:
    parts = PurePosixPath(path).parts
    return [parts[:depth] for depth in range(1, len(parts))]
