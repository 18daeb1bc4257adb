"""The mapping of local to remote paths, and the translation of scripts. Pure functions.

Scripts that ReFrame generates name local stage paths: of the test's own stage directory and, through
fixtures, of others. On the remote side these paths mean nothing, so each is replaced by where the same
thing lies there.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from reframe_firecrest.model.file_names import from_wire, to_wire
from reframe_firecrest.staging.text_translation import Rules, Translation

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


SHARD_SIZE = 250
"""Stage directories that lie together: one listing shows all of them, and a gateway limits its length."""


class Shards:
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
            number = len(self._places) // SHARD_SIZE
            return self._places.setdefault(stage_directory, f"~{number}" if number else "")


def shard_of(relative: str) -> str:
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
        shards: where stage directories lie of which there are many.
    """

    local: str
    remote: str
    aliases: tuple[str, ...] = ()
    present: tuple[tuple[str, str], ...] = ()
    sent: tuple[str, ...] = ()
    shards: Shards = field(default_factory=Shards, compare=False)

    def _stage_roots(self) -> tuple[str, ...]:
        return (self.local, *self.aliases)

    def relative(self, directory: str) -> str:
        """Return where a local directory lies below the remote root, as a relative path."""
        for root in self._stage_roots():
            if directory == root or directory.startswith(f"{root}/"):
                relative = PurePosixPath(directory).relative_to(root)
                return str(PurePosixPath(self._shard(relative.parts), relative))
        return outside(directory)

    def _shard(self, parts: Sequence[str]) -> str:
        return self.shards.of("/".join(parts[:STAGE_DEPTH])) if len(parts) >= STAGE_DEPTH else ""

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

    def translation(self, own_directory: str) -> Translation:
        """Begin the translation of a text.

        Args:
            own_directory: the test's stage directory.
        """
        roots = self.roots(own_directory)
        stage_roots = self._stage_roots()

        def remote(root: str, names: Sequence[str]) -> str:
            shard = self._shard(names) if root in stage_roots else ""
            return str(PurePosixPath(roots[root], shard)) if shard else roots[root]

        def local(root: str, names: Sequence[str]) -> str | None:
            if root in stage_roots:
                below = from_wire("/".join(names[:STAGE_DEPTH]))
                return f"{self.local}/{below}" if len(names) >= STAGE_DEPTH else None
            return root if root in self.sent else None

        return Translation(
            Rules(
                {to_wire(root): root for root in roots},
                lambda root, names: to_wire(remote(root, names)),
                local,
                dict.fromkeys(self.aliases, self.local),
            )
        )

    def translate(self, text: str, own_directory: str) -> str:
        """Replace local paths in a text by the remote ones.

        Args:
            text: a script.
            own_directory: the test's stage directory.
        """
        translation = self.translation(own_directory)
        return translation.feed(text) + translation.finish()

    def named(self, text: str) -> set[str]:
        """Return the local directories that a text names and that have to be on the system for it.

        These are stage directories, of whatever test, and those of the path map that are sent.
        """
        translation = self.translation(self.local)
        translation.feed(text)
        translation.finish()
        return translation.named
