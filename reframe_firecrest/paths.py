"""The mapping of local to remote paths, and the translation of scripts. Pure functions.

Scripts that ReFrame generates name local stage paths: of the test's own stage directory and, through
fixtures, of others. On the remote side these paths mean nothing, so each is replaced by where the same
thing lies there.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

OUTSIDE = "_outside"
"""Directory for what lies outside the stage prefix, such as ReFrame's own detection job."""


STAGE_DEPTH = 4
"""ReFrame's stage directories lie at ``<system>/<partition>/<environ>/<test>`` below the stage prefix."""


def outside(directory: str) -> str:
    """Return where a directory lies that is not below the stage prefix, relative to the remote root.

    A function of the path alone, so that whoever asks later finds the same place.
    """
    digest = hashlib.sha256(directory.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{OUTSIDE}/{digest}/{PurePosixPath(directory).name}"


SHELF = 250
"""Stage directories that lie together: one listing shows all of them, and a gateway limits its length."""


class Shelves:
    """Keeps the stage directories of a large run apart, so that no listing has to show all of them.

    The first ones lie where they always do; those that are met later lie on shelves of their own. Where
    a stage directory lies does not change while the process lives.
    """

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, stage_directory: str) -> str:
        """Return the shelf of a stage directory, as a relative path; empty for the first ones.

        Args:
            stage_directory: relative to the stage prefix.
        """
        with self._lock:
            number = len(self._places) // SHELF
            return self._places.setdefault(stage_directory, f"~{number}" if number else "")


def shelf_in(relative: str) -> str:
    """Return the shelf that a path below the run's remote directory is on."""
    first = relative.partition("/")[0]
    return first if first.startswith("~") else ""


@dataclass(frozen=True)
class PathMap:
    """Maps everything below the stage prefix to below the run's remote directory.

    Attributes:
        local: the stage prefix, absolute, without a slash at the end.
        remote: where its contents lie on the system, absolute, without a slash at the end.
        aliases: other spellings of the stage prefix, such as the one with symbolic links resolved.
        present: other local directories, with where the same lies on the system already.
        sent: other local directories that are sent when a script names them.
        shelves: where stage directories lie of which there are many.
    """

    local: str
    remote: str
    aliases: tuple[str, ...] = ()
    present: tuple[tuple[str, str], ...] = ()
    sent: tuple[str, ...] = ()
    shelves: Shelves = field(default_factory=Shelves, compare=False)

    def _stage_roots(self) -> tuple[str, ...]:
        return (self.local, *self.aliases)

    def relative(self, directory: str) -> str:
        """Return where a local directory lies below the remote root, as a relative path."""
        for root in self._stage_roots():
            if directory == root or directory.startswith(f"{root}/"):
                relative = PurePosixPath(directory).relative_to(root)
                return str(PurePosixPath(self._shelf(relative.parts), relative))
        return outside(directory)

    def _shelf(self, parts: Sequence[str]) -> str:
        return self.shelves.of("/".join(parts[:STAGE_DEPTH])) if len(parts) >= STAGE_DEPTH else ""

    def remote_directory(self, directory: str) -> str:
        """Return the remote path of a local directory."""
        return str(PurePosixPath(self.remote) / self.relative(directory))

    def roots(self, own_directory: str) -> dict[str, str]:
        """Return the local directories that have a place on the system, with that place.

        Args:
            own_directory: the test's stage directory, which may lie outside the stage prefix.
        """
        roots = dict.fromkeys(self._stage_roots(), self.remote)
        for directory in (own_directory, *self.sent):
            if not any(directory.startswith(f"{root}/") for root in self._stage_roots()):
                roots[directory] = self.remote_directory(directory)
        return {**roots, **{local: remote for local, remote in self.present if local != remote}}

    def translate(self, text: str, own_directory: str) -> str:
        """Replace local paths in a text by the remote ones.

        Args:
            text: a script.
            own_directory: the test's stage directory.
        """
        roots = self.roots(own_directory)
        stage_roots = self._stage_roots()

        def replace(match: re.Match[str]) -> str:
            root = match.group()
            if not _is_whole_path(text, match.start(), match.end()):
                return root
            below = _COMPONENTS.match(text, match.end())
            if root in stage_roots and below is not None:
                return str(PurePosixPath(roots[root], self._shelf(below.group()[1:].split("/"))))
            return roots[root]

        return _any_of(roots).sub(replace, text)

    def named(self, text: str) -> set[str]:
        """Return the local directories that a text names and that have to be on the system for it.

        These are stage directories, of whatever test, and those of the path map that are sent.
        """
        found = set()
        stage_roots = self._stage_roots()
        for match in _any_of((*stage_roots, *self.sent)).finditer(text):
            if not _is_whole_path(text, match.start(), match.end()):
                continue
            root = match.group()
            below = _COMPONENTS.match(text, match.end())
            if root not in stage_roots:
                found.add(root)
            elif below is not None:
                found.add(self.local + below.group())
        return found


def _any_of(roots: Iterable[str]) -> re.Pattern[str]:
    # The longest first: one root may lie in another.
    return re.compile("|".join(re.escape(root) for root in sorted(roots, key=len, reverse=True)))


_COMPONENTS = re.compile(rf"(?:/[^/\s'\":;,|&<>()$`]+){{{STAGE_DEPTH}}}")
_PATH_TAIL = re.compile(r"[\w.+~/@-]*\Z")
_END_OF_A_WORD = "})]*?"
"""After one of these a path goes on, as in ``${HOME}/x``, ``$(pwd)/x`` or ``*/x``."""
_MORE_OF_A_NAME = re.compile(r"[\w.+~@-]")
_LOOK_BACK = 200


def _is_whole_path(text: str, start: int, end: int) -> bool:
    """Tell whether what stands at a place is a path of its own and not a piece of a longer one."""
    if _MORE_OF_A_NAME.match(text, end):
        return False
    before = _PATH_TAIL.search(text[max(0, start - _LOOK_BACK) : start])
    tail = before.group() if before else ""
    if not tail and text[start - 1 : start] and text[start - 1] in _END_OF_A_WORD:
        return False
    # A flag may stick to its path, as in -I/path; any other word before it makes it part of another path.
    return not tail or (tail.startswith("-") and "/" not in tail)
