"""Brings stage directories to the system: one archive for all that wait."""

from __future__ import annotations

import asyncio
import itertools
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.launchcmd import without_cpus_per_task
from reframe_firecrest.paths import PathMap
from reframe_firecrest.session.phases import JobSpec
from reframe_firecrest.staging.manifest import changed, scan
from reframe_firecrest.staging.pack import Load, Sent, pack
from reframe_firecrest.staging.plan import Listed


@dataclass
class StageDirectory:
    """A stage directory on both sides.

    A build job and a run job share it; what this remembers keeps the second from sending again what is there.

    Attributes:
        local: absolute path here.
        relative: path below the run's remote directory.
        marks: entries that both sides have alike, with their marks here.
        remote: how files are known to stand on the remote side.
    """

    local: str
    relative: str
    marks: dict[str, tuple[object, ...]] = field(default_factory=dict)
    remote: dict[str, Sent | Listed] = field(default_factory=dict)


@dataclass(frozen=True)
class Cargo:
    """A stage directory that is ready to travel."""

    directory: StageDirectory
    load: Load


class StageIn:
    """Sends stage directories.

    Args:
        gateway: the way there.
        paths: where things lie on the other side.
        transfer: remote directory for archives under way.
        scratch: local directory for the same.
    """

    def __init__(self, gateway: Gateway, paths: PathMap, transfer: str, scratch: Path) -> None:
        self._gateway = gateway
        self._paths = paths
        self._transfer = transfer
        self._scratch = scratch
        self._numbers = itertools.count(1)

    async def prepare(
        self, directory: StageDirectory, spec: JobSpec, scheduler_version: tuple[int, ...] | None
    ) -> Cargo:
        """Find out what has to travel and translate the script.

        Raises:
            StagingError: the stage directory can't be read.
        """
        return await asyncio.to_thread(self._prepare, directory, spec, scheduler_version)

    def _prepare(
        self, directory: StageDirectory, spec: JobSpec, scheduler_version: tuple[int, ...] | None
    ) -> Cargo:
        entries = changed(scan(directory.local), directory.marks)
        replaced = {}
        if spec.script in entries:
            text = Path(directory.local, spec.script).read_bytes().decode("utf-8", "surrogateescape")
            translated = self._paths.translate(text, directory.local)
            if spec.cpus_per_task:
                translated = without_cpus_per_task(translated, spec.cpus_per_task, scheduler_version)
            replaced[spec.script] = translated.encode("utf-8", "surrogateescape")
        return Cargo(directory, Load(directory.relative, entries, replaced))

    async def send(self, cargo: Sequence[Cargo]) -> None:
        """Send stage directories together.

        Raises:
            FirecrestError: they did not all arrive.
        """
        name = f"in-{next(self._numbers)}.tgz"
        local, remote = self._scratch / name, f"{self._transfer}/{name}"
        try:
            sent = await asyncio.to_thread(pack, [item.load for item in cargo], local)
            await self._gateway.upload(local, remote)
        finally:
            await asyncio.to_thread(local.unlink, missing_ok=True)
        await self._gateway.extract(remote, posixpath.dirname(self._transfer))
        for item, files in zip(cargo, sent, strict=True):
            item.directory.marks.update({path: entry.mark for path, entry in item.load.entries.items()})
            item.directory.remote.update(files)
