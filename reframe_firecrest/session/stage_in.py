"""Brings stage directories to the system: one archive for all that wait."""

from __future__ import annotations

import asyncio
import itertools
import posixpath
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.paths import PathMap
from reframe_firecrest.staging.manifest import Kind, changed, scan
from reframe_firecrest.staging.pack import Load, Sent, pack
from reframe_firecrest.staging.plan import Listed

TEXT_LIMIT = 65_536
"""Bytes up to which a file may be a text that a hook wrote, with local paths in it."""

Rewrite = Callable[[str], str]


def unchanged(text: str) -> str:
    """Leave a script as it is."""
    return text


@dataclass
class StageDirectory:
    """A stage directory on both sides.

    A build job and a run job share it; what this remembers keeps the second from sending again what is there.

    Attributes:
        local: absolute path here.
        relative: path below the run's remote directory.
        marks: entries that both sides have alike, with their marks here.
        remote: how files are known to stand on the remote side.
        there: it has been sent.
    """

    local: str
    relative: str
    marks: dict[str, tuple[object, ...]] = field(default_factory=dict)
    remote: dict[str, Sent | Listed] = field(default_factory=dict)
    there: bool = False


@dataclass(frozen=True)
class Cargo:
    """A stage directory that is ready to travel.

    Attributes:
        named: other local directories that its texts name.
    """

    directory: StageDirectory
    load: Load
    named: frozenset[str] = frozenset()


class StageIn:
    """Sends stage directories.

    Args:
        gateway: the way there.
        paths: where things lie on the other side.
        transfer: remote directory for archives under way.
        scratch: local directory for the same.
        tell: told what was sent, in one line.
    """

    def __init__(
        self,
        gateway: Gateway,
        paths: PathMap,
        transfer: str,
        scratch: Path,
        tell: Callable[[str], None],
    ) -> None:
        self._gateway = gateway
        self._paths = paths
        self._transfer = transfer
        self._scratch = scratch
        self._tell = tell
        self._numbers = itertools.count(1)

    async def prepare(
        self, directory: StageDirectory, rewrite: Rewrite = unchanged, script: str | None = None
    ) -> Cargo:
        """Find out what has to travel, and translate what names local paths.

        Args:
            directory: what is sent.
            rewrite: what else is done to the script.
            script: the job script's name, if there is one.

        Raises:
            StagingError: the stage directory can't be read.
        """
        return await asyncio.to_thread(self._prepare, directory, rewrite, script)

    def _prepare(self, directory: StageDirectory, rewrite: Rewrite, script: str | None) -> Cargo:
        entries = changed(scan(directory.local), directory.marks)
        roots = [root.encode("utf-8", "surrogateescape") for root in self._paths.roots(directory.local)]
        replaced = {}
        named: set[str] = set()
        for path, entry in entries.items():
            if entry.kind is not Kind.FILE or (entry.size > TEXT_LIMIT and path != script):
                continue
            content = Path(entry.source).read_bytes()
            if path != script and (b"\0" in content or not any(root in content for root in roots)):
                continue
            text = content.decode("utf-8", "surrogateescape")
            named |= self._paths.named(text)
            translated = self._paths.translate(text, directory.local)
            if path == script:
                translated = rewrite(translated)
            replaced[path] = translated.encode("utf-8", "surrogateescape")
        return Cargo(directory, Load(directory.relative, entries, replaced), frozenset(named))

    async def send(self, cargo: Sequence[Cargo]) -> None:
        """Send stage directories together.

        Raises:
            FirecrestError: they did not all arrive.
        """
        begun = time.monotonic()
        name = f"in-{next(self._numbers)}.tgz"
        local, remote = self._scratch / name, f"{self._transfer}/{name}"
        try:
            sent = await asyncio.to_thread(pack, [item.load for item in cargo], local)
            size = (await asyncio.to_thread(local.stat)).st_size
            await self._gateway.upload(local, remote)
        finally:
            await asyncio.to_thread(local.unlink, missing_ok=True)
        await self._gateway.extract(remote, posixpath.dirname(self._transfer))
        self._tell(
            f"sent {sum(len(files) for files in sent)} files of {len(cargo)} stage directories, "
            f"{size / 1000:.1f} kB packed, in {time.monotonic() - begun:.1f} s"
        )
        for item, files in zip(cargo, sent, strict=True):
            item.directory.there = True
            item.directory.marks.update({path: entry.mark for path, entry in item.load.entries.items()})
            item.directory.remote.update(files)
