"""Brings stage directories to the system: one archive for all that wait."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import posixpath
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from reframe_firecrest.errors import StagingError
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.paths import PathMap
from reframe_firecrest.session.inputs import Inputs, Parcel
from reframe_firecrest.session.progress import reported
from reframe_firecrest.session.record import Record
from reframe_firecrest.session.times import in_units
from reframe_firecrest.staging.directives import names_account
from reframe_firecrest.staging.inputs import SHARED_FROM, Content, digest_of
from reframe_firecrest.staging.manifest import Entry, Kind, changed, scan
from reframe_firecrest.staging.markers import CLAIMS
from reframe_firecrest.staging.outputs import is_output
from reframe_firecrest.staging.pack import Load, Sent, pack, sent_as
from reframe_firecrest.staging.plan import Listed
from reframe_firecrest.staging.prologue import Prologue, with_prologue

TEXT_LIMIT = 65_536
"""Bytes up to which a file may be a text that a hook wrote, with local paths in it."""

STORE = "inputs"
"""Directory for what several tests have alike, below the transfer directory."""

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
        promised: files that its job copies there for itself, with their marks here.
        translated: digests of files that were sent with other contents than they have here.
        outputs: output files that jobs in it have been given.
        left: files that stayed on the system, so that only placeholders are here.
    """

    local: str
    relative: str
    marks: dict[str, tuple[object, ...]] = field(default_factory=dict)
    remote: dict[str, Sent | Listed] = field(default_factory=dict)
    there: bool = False
    promised: dict[str, tuple[Sent, tuple[object, ...]]] = field(default_factory=dict)
    translated: dict[str, str] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)

    def alike(self) -> set[str]:
        """Return the files that both sides have alike, as far as is known here; reads the directory.

        Raises:
            StagingError: it can't be read.
        """
        here = scan(self.local)
        return {
            path
            for path in self.remote
            if path in here and path not in self.left and here[path].mark == self.marks.get(path)
        }

    def job_ended(self, *, ran: bool) -> None:
        """Note that a job has ended: if it ran, it has copied what was promised."""
        for path, (sent, mark) in self.promised.items():
            if ran:
                self.remote[path], self.marks[path] = sent, mark
        self.promised.clear()


@dataclass(frozen=True)
class Script:
    """A job script that is sent for one submission.

    Attributes:
        name: its name in the stage directory.
        token: the submission's.
        outputs: names of the files for standard output and error.
        rewrite: changes made to it beside the translation of paths.
        share: its job may copy what other tests have too.
    """

    name: str
    token: str
    outputs: tuple[str, ...] = ()
    rewrite: Rewrite = unchanged
    share: bool = False


@dataclass(frozen=True)
class Cargo:
    """A stage directory that is ready to travel.

    Attributes:
        named: other local directories that its texts name.
        script: the job script, if there is one.
        truncates: its output files exist, or may do so when the job starts.
        names_account: the script says which account is charged.
        shareable: files that other tests may have too, by path.
    """

    directory: StageDirectory
    load: Load
    named: frozenset[str] = frozenset()
    script: Script | None = None
    truncates: bool = False
    names_account: bool = False
    shareable: Mapping[str, Content] = field(default_factory=dict)


class StageIn:
    """Sends stage directories.

    Args:
        gateway: the way there.
        paths: where things lie on the other side.
        transfer: remote directory for archives under way.
        scratch: local directory for the same.
        record: keeps what was sent.
    """

    def __init__(
        self,
        gateway: Gateway,
        paths: PathMap,
        transfer: str,
        scratch: Path,
        record: Record,
    ) -> None:
        self._gateway = gateway
        self._paths = paths
        self._transfer = transfer
        self._scratch = scratch
        self._record = record
        self._inputs = Inputs()
        self._made: set[str] = set()
        self._making = asyncio.Lock()
        self._numbers = itertools.count(1)

    def weight(self, cargo: Cargo) -> int:
        """Return the bytes that a stage directory adds to an archive."""
        there = (path for path, content in cargo.shareable.items() if self._inputs.has(content))
        return cargo.load.size - sum(cargo.load.entries[path].size for path in there)

    async def prepare(self, directory: StageDirectory, script: Script | None = None) -> Cargo:
        """Find out what has to travel, and translate what names local paths.

        Args:
            directory: what is sent.
            script: the job script, if there is one.

        Raises:
            StagingError: the stage directory can't be read.
        """
        cargo = await asyncio.to_thread(self._prepare, directory, script)
        share = script is not None and script.share
        return await asyncio.to_thread(_with_shareable, cargo) if share else cargo

    def _prepare(self, directory: StageDirectory, script: Script | None) -> Cargo:
        here = scan(directory.local)
        entries = changed(here, directory.marks)
        if script and script.name in here:
            # It is another one for each submission.
            entries[script.name] = here[script.name]
        replaced = {}
        named: set[str] = set()
        for path, entry in entries.items():
            text = self._text_of(directory, path, entry, script)
            if text is None:
                continue
            named |= self._paths.named(text)
            translated = self._paths.translate(text, directory.local)
            if script and path == script.name:
                translated = script.rewrite(translated)
            replaced[path] = translated.encode("utf-8", "surrogateescape")
        cargo = Cargo(directory, Load(directory.relative, entries, replaced), frozenset(named), script)
        if script is None or script.name not in replaced:
            return cargo
        written = {*here, *directory.remote, *directory.outputs}
        return replace(
            cargo,
            truncates=any(is_output(path, script.outputs) for path in written),
            names_account=names_account(replaced[script.name].decode("utf-8", "surrogateescape")),
        )

    def _text_of(
        self, directory: StageDirectory, path: str, entry: Entry, script: Script | None
    ) -> str | None:
        """Return the text of the script or of another file that may name local paths."""
        is_script = script is not None and path == script.name
        if entry.kind is not Kind.FILE or (entry.size > TEXT_LIMIT and not is_script):
            return None
        content = Path(entry.source).read_bytes()
        roots = [root.encode("utf-8", "surrogateescape") for root in self._paths.roots(directory.local)]
        if not is_script and (b"\0" in content or not any(root in content for root in roots)):
            return None
        return content.decode("utf-8", "surrogateescape")

    async def send(self, cargo: Sequence[Cargo]) -> None:
        """Send stage directories together.

        Raises:
            FirecrestError: they did not all arrive.
        """
        begun = time.monotonic()
        parcel = self._inputs.plan(
            {content: item.load.entries[path] for path, content in item.shareable.items()} for item in cargo
        )
        loads = [self._load(item, parcel) for item in cargo]
        try:
            sent, size = await self._send(loads, parcel)
        except BaseException as error:
            self._inputs.settle(parcel, error)
            raise
        self._inputs.settle(parcel)
        await self._inputs.arrived(parcel)
        self._record.sent(sum(map(len, sent)), len(cargo), size, time.monotonic() - begun)
        for item, load, files in zip(cargo, loads, sent, strict=True):
            directory, entries = item.directory, item.load.entries
            directory.there = True
            directory.translated.update(_digests(load, files))
            directory.marks.update({path: entries[path].mark for path in files})
            directory.remote.update(files)
            directory.promised.update(
                {path: (sent_as(entries[path]), entries[path].mark) for path in _shared(item, parcel)}
            )

    async def _send(self, loads: Sequence[Load], parcel: Parcel) -> tuple[list[dict[str, Sent]], int]:
        """Pack, upload and extract; returns what each stage directory got, and the archive's bytes."""
        root = posixpath.dirname(self._transfer)
        name = f"in-{next(self._numbers)}.tgz"
        local, remote = self._scratch / name, f"{self._transfer}/{name}"
        store = parcel.loads(f"{posixpath.basename(self._transfer)}/{STORE}")
        try:
            sent = await asyncio.to_thread(pack, [*loads, *store], local)
            size = (await asyncio.to_thread(local.stat)).st_size
            what = f"sending {in_units(size)} of {len(loads)} stage directories"
            async with reported(what, self._record.tell) as progress:
                await self._gateway.upload(local, remote, progress)
        finally:
            await asyncio.to_thread(local.unlink, missing_ok=True)
        await self._extract(remote, root, [load.prefix for load in (*loads, *store)])
        return sent[: len(loads)], size

    async def _extract(self, archive: str, root: str, prefixes: Sequence[str]) -> None:
        """Unpack an archive; what makes the same directories at the same time makes ``tar`` fail."""
        above = {str(parent) for prefix in prefixes for parent in PurePosixPath(prefix).parents}
        if above <= self._made:
            await self._gateway.extract(archive, root)
            return
        async with self._making:
            await self._gateway.extract(archive, root)
        self._made |= above

    def _load(self, item: Cargo, parcel: Parcel) -> Load:
        """Add to the script what its job does first; leave out what it copies for itself."""
        load, script = item.load, item.script
        if script is None or script.name not in load.replaced:
            return load
        shared = _shared(item, parcel)
        prologue = Prologue(
            script.token,
            f"{self._transfer}/{CLAIMS}",
            self._paths.remote_directory(item.directory.local),
            f"{self._transfer}/{STORE}",
            {path: (content, sent_as(load.entries[path])) for path, content in shared.items()},
            truncates=item.truncates,
        )
        return Load(
            load.prefix,
            {path: entry for path, entry in load.entries.items() if path not in shared},
            {**load.replaced, script.name: with_prologue(load.replaced[script.name], prologue)},
        )


def _digests(load: Load, files: Iterable[str]) -> dict[str, str]:
    """Return the digests of what was sent in the place of files."""
    return {path: hashlib.sha256(load.replaced[path]).hexdigest() for path in files if path in load.replaced}


def _shared(item: Cargo, parcel: Parcel) -> dict[str, Content]:
    return {path: content for path, content in item.shareable.items() if content in parcel.copied}


def _with_shareable(cargo: Cargo) -> Cargo:
    """Add which of its files other tests may have too."""
    load = cargo.load
    if cargo.script is None or cargo.script.name not in load.replaced:
        # Nothing could copy them.
        return cargo
    shareable = {
        path: Content(_digest(entry.source), posixpath.basename(path))
        for path, entry in load.entries.items()
        if entry.kind is Kind.FILE and entry.size >= SHARED_FROM and path not in load.replaced
    }
    return replace(cargo, shareable=shareable)


def _digest(path: str) -> str:
    try:
        return digest_of(path)
    except OSError as error:
        raise StagingError(f"{path} can't be read: {error.strerror or error}") from None
