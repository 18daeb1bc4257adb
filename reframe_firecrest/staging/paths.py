"""Mapping of local to remote paths, and translation of scripts. Pure functions.

Scripts that ReFrame generates contain local paths of the test's own stage directory and, through fixtures, of
others. These paths do not exist on the system, so each is replaced by the corresponding remote path.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from reframe_firecrest.model.file_names import from_wire, to_wire
from reframe_firecrest.staging.local_sources import LocalSources
from reframe_firecrest.staging.text_translation import Rules, Translation

OUTSIDE = "_outside"
"""Directory for directories outside the stage prefix, such as that of ReFrame's detection job and those that
are sent because a script names them."""


STAGE_DEPTH = 4
"""Depth of a stage directory below the stage prefix: ``<system>/<partition>/<environ>/<test>``."""


def outside(directory: str) -> str:
    """Return the path, relative to the remote root, of a directory outside the stage prefix.

    It depends on the local path only, so every process computes the same one.
    """
    digest = hashlib.sha256(directory.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{OUTSIDE}/{digest}/{PurePosixPath(directory).name}"


SHARD_SIZE = 250
"""Stage directories per shard: one listing covers a shard, and gateways limit the length of a listing."""


class Shards:
    """Distribution of a large run's stage directories, so that no listing covers all of them.

    The first `SHARD_SIZE` stage directories are in the remote root, further ones in shards of the same size.
    A stage directory stays in its shard while the process lives.
    """

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, stage_directory: str) -> str:
        """Return the shard of a stage directory, as a relative path; empty for the first ones.

        Args:
            stage_directory: relative to the stage prefix.
        """
        with self._lock:
            number = len(self._places) // SHARD_SIZE
            return self._places.setdefault(stage_directory, f"~{number}" if number else "")


def shard_of(relative: str) -> str:
    """Return the shard of a path below the run's remote directory; empty if it is in none."""
    first = relative.partition("/")[0]
    return first if first.startswith("~") else ""


@dataclass(frozen=True)
class PathMap:
    """Mapping of paths below the stage prefix to paths below the run's remote directory.

    Attributes:
        local: the stage prefix, absolute, without a trailing slash.
        remote: the run's remote directory, absolute, without a trailing slash.
        aliases: other spellings of the stage prefix, such as the one with symbolic links resolved.
        present: other local directories with their existing counterparts on the system.
        sent: other local directories that are sent when a script names them.
        shards: distribution of the stage directories.
        sources: directories of the tests' code.
    """

    local: str
    remote: str
    aliases: tuple[str, ...] = ()
    present: tuple[tuple[str, str], ...] = ()
    sent: tuple[str, ...] = ()
    shards: Shards = field(default_factory=Shards, compare=False)
    sources: LocalSources = field(default_factory=LocalSources, compare=False)

    def _stage_roots(self) -> tuple[str, ...]:
        return (self.local, *self.aliases)

    def relative(self, directory: str) -> str:
        """Return the remote path of a local directory, relative to the remote root."""
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
        """Return the remote paths of the local directories that are translated.

        Args:
            own_directory: the test's stage directory, which may be outside the stage prefix.
        """
        roots = dict.fromkeys(self._stage_roots(), self.remote)
        for directory in (own_directory, *self.sent):
            if not any(directory.startswith(f"{root}/") for root in self._stage_roots()):
                roots[directory] = self.remote_directory(directory)
        return {**roots, **{local: remote for local, remote in self.present if local != remote}}

    def translation(self, own_directory: str) -> Translation:
        """Return a translation for one text.

        Args:
            own_directory: the test's stage directory.
        """
        own = self.roots(own_directory)
        # Files of the tests' code have texts, too: these are in no stage directory.
        sources = [root for root in self.sources.roots if root not in own or root == own_directory]
        roots = {**{root: self.remote_directory(root) for root in sources}, **own}
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
                frozenset(sources),
                lambda root, names: self.sources.files_for(root, names, own_directory),
            )
        )

    def translate(self, text: str, own_directory: str) -> str:
        """Replace local paths in a text by remote ones.

        Args:
            text: a script.
            own_directory: the test's stage directory.
        """
        translation = self.translation(own_directory)
        return translation.feed(text) + translation.finish()

    def named(self, text: str) -> set[str]:
        """Return the local directories that a text names and that must therefore be on the system.

        These are stage directories of any test, and the directories in `sent`.
        """
        translation = self.translation(self.local)
        translation.feed(text)
        translation.finish()
        return translation.named
