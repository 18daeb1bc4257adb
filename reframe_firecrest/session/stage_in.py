"""Brings stage directories to the system: one archive for all that wait."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import posixpath
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model.directives import names_account
from reframe_firecrest.model.errors import StagingError, UncertainError
from reframe_firecrest.model.units import format_size
from reframe_firecrest.session.input_plan import InputPlan, SharedInputs
from reframe_firecrest.session.progress import reported
from reframe_firecrest.session.session_record import SessionRecord
from reframe_firecrest.staging.file_translation import Rewrite, Translator
from reframe_firecrest.staging.manifest import Kind, changed, scan
from reframe_firecrest.staging.markers import CLAIMS
from reframe_firecrest.staging.outputs import is_output
from reframe_firecrest.staging.pack import ArchivePart, SentStat, pack, sent_stat_of
from reframe_firecrest.staging.paths import PathMap
from reframe_firecrest.staging.prologue import Prologue, with_prologue
from reframe_firecrest.staging.retrieval_plan import RemoteStat
from reframe_firecrest.staging.shared_inputs import SHARED_FROM, InputContent, digest_of
from reframe_firecrest.staging.translation import names_path

_LOGGER = logging.getLogger(__name__)

NAMED = 3
"""Files that a warning names."""

UNPACKINGS = 4
"""Times that an archive is sent and unpacked of which it remains uncertain that it was."""

STORE = "inputs"
"""Directory for what several tests have alike, below the transfer directory."""


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
        fingerprints: entries that both sides have alike, with their marks here.
        remote: how files are known to stand on the remote side.
        there: it has been sent.
        promised: files that its job copies there for itself, with their marks here.
        lacks: placeholders that were in it when it was sent, with the reasons: the system lacks the files.
        translated: digests of files that were sent with other contents than they have here.
        outputs: output files that jobs in it have been given.
        left: files that stayed on the system, so that only placeholders are here.
    """

    local: str
    relative: str
    fingerprints: dict[str, tuple[object, ...]] = field(default_factory=dict)
    remote: dict[str, SentStat | RemoteStat] = field(default_factory=dict)
    there: bool = False
    promised: dict[str, tuple[SentStat, tuple[object, ...]]] = field(default_factory=dict)
    lacks: dict[str, str] = field(default_factory=dict)
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
            if path in here
            and path not in self.left
            and here[path].fingerprint == self.fingerprints.get(path)
        }

    def check_for(self, paths: Iterable[str]) -> None:
        """Check that the system has what a job needs of this directory.

        Args:
            paths: local paths that the job's texts name.

        Raises:
            StagingError: one of the files that it needs is a placeholder here, left by an earlier run.
        """
        for path, reason in self.lacks.items():
            place = f"{self.local}/{path}"
            if any(names_path(named, place) for named in paths):
                raise StagingError(_lacking(place, reason))

    def job_ended(self, *, ran: bool) -> None:
        """Note that a job has ended: if it ran, it has copied what was promised."""
        for path, (sent, mark) in self.promised.items():
            if ran:
                self.remote[path], self.fingerprints[path] = sent, mark
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
class StagedDirectory:
    """A stage directory that is ready to travel.

    Attributes:
        named: other local directories that its texts name.
        script: the job script, if there is one.
        truncates: its output files exist, or may do so when the job starts.
        names_account: the script says which account is charged.
        shareable: files that other tests may have too, by path.
        paths: local paths that its texts name.
    """

    directory: StageDirectory
    part: ArchivePart
    named: frozenset[str] = frozenset()
    script: Script | None = None
    truncates: bool = False
    names_account: bool = False
    shareable: Mapping[str, InputContent] = field(default_factory=dict)
    paths: frozenset[str] = frozenset()


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
        record: SessionRecord,
    ) -> None:
        self._gateway = gateway
        self._paths = paths
        self._transfer = transfer
        self._scratch = scratch
        self._record = record
        self._inputs = SharedInputs()
        self._made: set[str] = set()
        self._making = asyncio.Lock()
        self._numbers = itertools.count(1)

    def weight(self, staged: StagedDirectory) -> int:
        """Return the bytes that a stage directory adds to an archive."""
        there = (path for path, content in staged.shareable.items() if self._inputs.has(content))
        return staged.part.size - sum(staged.part.entries[path].size for path in there)

    async def prepare(self, directory: StageDirectory, script: Script | None = None) -> StagedDirectory:
        """Find out what has to travel, and translate what names local paths.

        Args:
            directory: what is sent.
            script: the job script, if there is one.

        Raises:
            StagingError: the stage directory can't be read, or a file in it is a placeholder.
        """
        staged, untranslated = await asyncio.to_thread(self._prepare, directory, script)
        if untranslated:
            more = f" and {len(untranslated) - NAMED} more" if len(untranslated) > NAMED else ""
            _LOGGER.warning(
                "sent untranslated although they name local directories: %s: %s%s; "
                "the job can't use these paths on the system",
                directory.local,
                ", ".join(untranslated[:NAMED]),
                more,
            )
        return staged

    def _prepare(self, directory: StageDirectory, script: Script | None) -> tuple[StagedDirectory, list[str]]:
        """Return what has to travel, and what of it names local paths that could not be translated."""
        here = scan(directory.local)
        found = changed(here, directory.fingerprints)
        if script and script.name in here:
            # It is another one for each submission.
            found[script.name] = here[script.name]
        entries = {path: entry for path, entry in found.items() if entry.kind is not Kind.PLACEHOLDER}
        translator = Translator(self._paths, directory.local, self._scratch)
        name, rewrite = (script.name, script.rewrite) if script else (None, unchanged)
        digest_from = SHARED_FROM if script and script.share else None
        texts = translator.translate(entries, name, rewrite, digest_from)
        directory.lacks = {path: found[path].target for path in found.keys() - entries.keys()}
        directory.lacks |= texts.placeholders
        if script is not None:
            directory.check_for([directory.local])
        for path in texts.placeholders:
            del entries[path]
        part = ArchivePart(directory.relative, entries, texts.replaced, translated=texts.files)
        staged = StagedDirectory(
            directory, part, frozenset(texts.named), script, paths=frozenset(texts.paths)
        )
        if script is not None and script.name in texts.replaced:
            written = {*here, *directory.remote, *directory.outputs}
            staged = replace(
                staged,
                truncates=any(is_output(path, script.outputs) for path in written),
                names_account=names_account(texts.replaced[script.name].decode("utf-8", "surrogateescape")),
            )
        return _with_shareable(staged, texts.digests), texts.untranslated

    async def send(self, staged: Sequence[StagedDirectory]) -> None:
        """Send stage directories together.

        Raises:
            FirecrestError: they did not all arrive.
        """
        begun = time.monotonic()
        input_plan = self._inputs.plan(
            {content: item.part.entries[path] for path, content in item.shareable.items()} for item in staged
        )
        loads = [self._load(item, input_plan) for item in staged]
        try:
            sent, size = await self._send(loads, input_plan)
        except BaseException as error:
            self._inputs.settle(input_plan, error)
            raise
        self._inputs.settle(input_plan)
        await self._inputs.arrived(input_plan)
        digests = await asyncio.to_thread(lambda: [_digests(part) for part in loads])
        await asyncio.to_thread(_discard, staged)
        self._record.sent(sum(map(len, sent)), len(staged), size, time.monotonic() - begun)
        for item, rewritten, files in zip(staged, digests, sent, strict=True):
            directory, entries = item.directory, item.part.entries
            directory.there = True
            directory.translated.update({path: rewritten[path] for path in files if path in rewritten})
            directory.fingerprints.update({path: entries[path].fingerprint for path in files})
            directory.remote.update(files)
            directory.promised.update(
                {
                    path: (sent_stat_of(entries[path]), entries[path].fingerprint)
                    for path in _shared(item, input_plan)
                }
            )

    async def _send(
        self, loads: Sequence[ArchivePart], input_plan: InputPlan
    ) -> tuple[list[dict[str, SentStat]], int]:
        """Pack, upload and extract; returns what each stage directory got, and the archive's bytes."""
        root = posixpath.dirname(self._transfer)
        local = self._scratch / f"in-{next(self._numbers)}.tgz"
        store = input_plan.loads(f"{posixpath.basename(self._transfer)}/{STORE}")
        try:
            sent = await asyncio.to_thread(pack, [*loads, *store], local)
            size = (await asyncio.to_thread(local.stat)).st_size
            what = f"sending {format_size(size)} of {len(loads)} stage directories"
            await self._unpack_there(local, what, root, [part.prefix for part in (*loads, *store)])
        finally:
            await asyncio.to_thread(local.unlink, missing_ok=True)
        return sent[: len(loads)], size

    async def _unpack_there(self, local: Path, what: str, root: str, prefixes: Sequence[str]) -> None:
        """Upload an archive and unpack it, again under another name where it is uncertain that it was."""
        for left in reversed(range(UNPACKINGS)):
            name = f"{self._transfer}/in-{next(self._numbers)}.tgz"
            async with reported(what) as progress:
                archive = await self._gateway.upload(local, name, progress)
            try:
                await self._extract(archive, root, prefixes)
            except UncertainError:
                if not left:
                    raise
            else:
                return

    async def _extract(self, archive: str, root: str, prefixes: Sequence[str]) -> None:
        """Unpack an archive; what makes the same directories at the same time makes ``tar`` fail."""
        above = {str(parent) for prefix in prefixes for parent in PurePosixPath(prefix).parents}
        if above <= self._made:
            await self._extract_for_good(archive, root)
            return
        async with self._making:
            await self._extract_for_good(archive, root)
        self._made |= above

    async def _extract_for_good(self, archive: str, root: str) -> None:
        """Unpack an archive now or never: done later, it would put old files over what a job has written.

        Raises:
            UncertainError: it may have been unpacked, but will not be any more.
        """
        try:
            await self._gateway.extract(archive, root)
        except UncertainError:
            await self._gateway.withdraw(archive)
            raise

    def _load(self, item: StagedDirectory, input_plan: InputPlan) -> ArchivePart:
        """Add to the script what its job does first; leave out what it copies for itself."""
        part, script = item.part, item.script
        if script is None or script.name not in part.replaced:
            return part
        shared = _shared(item, input_plan)
        prologue = Prologue(
            script.token,
            f"{self._transfer}/{CLAIMS}",
            self._paths.remote_directory(item.directory.local),
            f"{self._transfer}/{STORE}",
            {path: (content, sent_stat_of(part.entries[path])) for path, content in shared.items()},
            truncates=item.truncates,
        )
        return replace(
            part,
            entries={path: entry for path, entry in part.entries.items() if path not in shared},
            replaced={**part.replaced, script.name: with_prologue(part.replaced[script.name], prologue)},
        )


def _digests(part: ArchivePart) -> dict[str, str]:
    """Return the digests of what is sent in the place of files."""
    in_memory = {path: hashlib.sha256(content).hexdigest() for path, content in part.replaced.items()}
    return in_memory | {path: digest_of(str(file)) for path, file in part.translated.items()}


def _shared(item: StagedDirectory, input_plan: InputPlan) -> dict[str, InputContent]:
    return {path: content for path, content in item.shareable.items() if content in input_plan.copied}


def _with_shareable(staged: StagedDirectory, digests: Mapping[str, str]) -> StagedDirectory:
    """Add which of its files other tests may have too.

    Args:
        staged: the stage directory.
        digests: of its files that are large enough.
    """
    part = staged.part
    if staged.script is None or staged.script.name not in part.replaced:
        # Nothing could copy them.
        return staged
    shareable = {
        path: InputContent(digest, posixpath.basename(path))
        for path, digest in digests.items()
        if path in part.entries and not part.is_rewritten(path)
    }
    return replace(staged, shareable=shareable)


def _discard(staged: Sequence[StagedDirectory]) -> None:
    """Remove translated files that have been sent."""
    for item in staged:
        for file in item.part.translated.values():
            file.unlink(missing_ok=True)


def _lacking(place: str, reason: str) -> str:
    return (
        f"{place} is a placeholder of an earlier run and can't be sent: {reason}; run the test that "
        "makes the file again and have it brought back (see 'retrieve', 'exclude' and 'max_file_size')"
    )
