"""Files of the tests' code that scripts name: a warning for each, or, on demand, its way to the system.

They are outside the stage directories, so ReFrame does not copy them, and a job that names one would not find
it. On the system they keep their relative places.
"""

from __future__ import annotations

import logging
import os
import posixpath
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.staging.manifest import Entry, entry_of
from reframe_firecrest.staging.secret_files import reason_to_keep

_LOGGER = logging.getLogger(__name__)

MAX_SIZE = 100_000_000
"""Bytes of one named file or directory."""

MAX_ENTRIES = 10_000
"""Entries of one named directory."""

NAMED = 3
"""Entries that a warning names."""


@dataclass(frozen=True)
class SourceFiles:
    """A named file or directory that is sent.

    Attributes:
        root: directory of the tests' code that contains it.
        path: its path below the root; empty for the root itself.
        entries: what is sent, by path below the root.
    """

    root: str
    path: str
    entries: dict[str, Entry] = field(compare=False)


class LocalSources:
    """The directories of the tests' code, and what scripts name in them. Thread-safe.

    Args:
        send: send what scripts name; otherwise only warn.
        elsewhere: local directories with a mapping of their own, and the stage prefix.
    """

    def __init__(self, *, send: bool = False, elsewhere: Iterable[str] = ()) -> None:
        self._send = send
        self._elsewhere = tuple(elsewhere)
        self._roots: tuple[str, ...] = ()
        self._private: set[str] = set()
        self._given: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._decisions: dict[str, SourceFiles | None] = {}
        self._lock = threading.Lock()

    def add(self, directories: Iterable[str], private: Iterable[str] = ()) -> None:
        """Add directories of the tests' code.

        Args:
            directories: absolute paths.
            private: files that are never sent, such as the settings.
        """
        given = (tuple(directories), tuple(private))
        with self._lock:
            if given == self._given:
                return
            self._given = given
            known = dict.fromkeys((*self._roots, *given[0]))
            spellings = dict.fromkeys(path for root in known for path in (root, os.path.realpath(root)))
            self._roots = tuple(
                root for root in spellings if root not in _TOO_WIDE and not self._mapped(root)
            )
            self._private.update(map(os.path.realpath, given[1]))

    @property
    def roots(self) -> tuple[str, ...]:
        """The directories, in all spellings."""
        return self._roots

    def files_for(self, root: str, names: Sequence[str], directory: str) -> SourceFiles | None:
        """Return what to send for a path that a text names; None if the path stays as it is.

        Args:
            root: the directory of the tests' code at the start of the path.
            names: the names that follow it.
            directory: the directory of the text, for the warning.
        """
        path = posixpath.normpath("/".join((root, *names)))
        if self._mapped(path) or path in _usual_directories():
            return None
        with self._lock:
            if path not in self._decisions:
                self._decisions[path] = self._decide(root, path, names, directory)
            return self._decisions[path]

    def _mapped(self, path: str) -> bool:
        return any(path == above or path.startswith(f"{above}/") for above in self._elsewhere)

    def _decide(self, root: str, path: str, names: Sequence[str], directory: str) -> SourceFiles | None:
        if not Path(path).exists():
            return None
        if not self._send:
            _LOGGER.warning(
                "not sent to the system: %s, which a text in %s names; "
                "set 'path_map' to \"auto\" to send it, or map it to its path on the system",
                path,
                directory,
            )
            return None
        try:
            return self._collect(root, path, names)
        except _KeptError as kept:
            reason = str(kept)
        except OSError as error:
            reason = error.strerror or str(error)
        _LOGGER.warning(
            "not sent to the system: %s, which a text in %s names: %s; "
            "if the job needs it, map it in 'path_map'",
            path,
            directory,
            reason,
        )
        return None

    def _collect(self, root: str, path: str, names: Sequence[str]) -> SourceFiles:
        if path != root and not path.startswith(f"{root}/"):
            raise _KeptError(f"it is outside {root}")
        below = path[len(root) + 1 :]
        reason = reason_to_keep(root, below, self._private)
        if reason is not None:
            raise _KeptError(reason)
        inside = [other for other in self._elsewhere if other.startswith(f"{path}/")]
        if inside:
            raise _KeptError(f"it contains {inside[0]}")
        # A path with ".." needs the directories that it passes through.
        entries = {name: entry_of(f"{root}/{name}") for name in _passed_through(names)}
        if Path(path).is_dir():
            entries |= _tree(root, below, self._private)
        else:
            entries[below] = entry_of(path)
        _check_size(entries.values())
        return SourceFiles(root, below, entries)


class _KeptError(Exception):
    """A file that a text names must not be sent."""


_TOO_WIDE = {"/", "/home", "/opt", "/usr"}
"""Directories that are not the tests' own, even if a check is in one."""


def _usual_directories() -> set[str]:
    """Return directories that also exist on the system, so that naming one alone means nothing."""
    return {"/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir(), os.path.expanduser("~")}  # noqa: S108, PTH111


def _passed_through(names: Sequence[str]) -> list[str]:
    passed = (
        posixpath.normpath("/".join(names[:number])) for number, name in enumerate(names) if name == ".."
    )
    return [path for path in passed if path != "." and not path.startswith("..")]


def _tree(root: str, below: str, private: Collection[str]) -> dict[str, Entry]:
    """Return the entries of a directory, without those that may hold secrets."""
    entries: dict[str, Entry] = {}
    kept: list[str] = []
    for path in _walk(root, below):
        local = Path(root, path)
        is_link_to_directory = path != below and local.is_symlink() and local.is_dir()
        if is_link_to_directory or reason_to_keep(root, path, private) is not None:
            kept.append(path)
        else:
            entries[path] = entry_of(str(local))
        if len(entries) + len(kept) > MAX_ENTRIES:
            raise _KeptError(f"it has more than {MAX_ENTRIES} entries")
    if kept:
        more = f" and {len(kept) - NAMED} more" if len(kept) > NAMED else ""
        _LOGGER.warning(
            "left out of a directory that scripts name, because they may hold secrets or are links: %s; "
            "map them in 'path_map' if jobs need them",
            ", ".join(f"{root}/{path}" for path in kept[:NAMED]) + more,
        )
    return entries


def _walk(root: str, below: str) -> Iterator[str]:
    """Yield the paths in a directory that are not hidden, without following links to directories."""
    if below:
        yield below
    for directory, subdirectories, files in os.walk(f"{root}/{below}".rstrip("/")):
        prefix = directory[len(root) + 1 :]
        subdirectories[:] = [name for name in sorted(subdirectories) if not name.startswith(".")]
        for name in (*subdirectories, *sorted(name for name in files if not name.startswith("."))):
            path = f"{prefix}/{name}" if prefix else name
            if Path(root, path).exists():
                yield path


def _check_size(entries: Iterable[Entry]) -> None:
    size = sum(entry.size for entry in entries)
    if size > MAX_SIZE:
        raise _KeptError(f"its {size // 1_000_000} MB exceed {MAX_SIZE // 1_000_000} MB")
