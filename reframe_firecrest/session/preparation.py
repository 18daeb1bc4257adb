"""Preparation of a stage directory: choose what has changed, and translate local paths."""

from __future__ import annotations

import asyncio
import logging
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from reframe_firecrest.model.directives import names_account
from reframe_firecrest.model.selection import is_output
from reframe_firecrest.session.stage_directory import Fingerprint, StageDirectory
from reframe_firecrest.staging.file_translation import Rewrite, Translator
from reframe_firecrest.staging.local_sources import SourceFiles
from reframe_firecrest.staging.manifest import Kind, changed, scan
from reframe_firecrest.staging.pack import ArchivePart, SentStat
from reframe_firecrest.staging.paths import PathMap
from reframe_firecrest.staging.shared_inputs import SHARED_FROM, InputContent
from reframe_firecrest.staging.split_archive import Unpacking

_LOGGER = logging.getLogger(__name__)

NAMED = 3
"""Files that a warning names."""


def unchanged(text: str) -> str:
    """Leave a script as it is."""
    return text


@dataclass(frozen=True)
class Script:
    """A job script, as sent for one submission.

    Attributes:
        name: its name in the stage directory.
        token: token of the submission.
        outputs: names of the files for standard output and error.
        rewrite: change of the script in addition to the translation of paths.
        share: its job may copy files that other tests have too.
        is_array: several tasks run it in the same directory.
    """

    name: str
    token: str
    outputs: tuple[str, ...] = ()
    rewrite: Rewrite = unchanged
    share: bool = False
    is_array: bool = False


@dataclass(frozen=True)
class PreparedDirectory:
    """A stage directory that is ready to be sent.

    Attributes:
        directory: the stage directory.
        part: its part of an archive.
        named: other local directories that its texts name.
        script: the job script, if it has one.
        truncates: its output files exist, or may exist when the job starts.
        names_account: the script sets the account to charge.
        shareable: files that other tests may have too, by path.
        paths: local paths that its texts name.
        large: attributes on both sides of the files that were sent in parts, and are not in `part` any more.
        unpacked: files that its job unpacks from archives that were sent in parts, also in directories
            without a job of their own.
        sources: files of the tests' code that its texts name.
    """

    directory: StageDirectory
    part: ArchivePart
    named: frozenset[str] = frozenset()
    script: Script | None = None
    truncates: bool = False
    names_account: bool = False
    shareable: Mapping[str, InputContent] = field(default_factory=dict)
    paths: frozenset[str] = frozenset()
    large: Mapping[str, tuple[SentStat, Fingerprint]] = field(default_factory=dict)
    unpacked: Sequence[Unpacking] = ()
    sources: frozenset[SourceFiles] = frozenset()

    @property
    def is_needed(self) -> bool:
        """True if there is something to send, or the directory does not exist on the system yet."""
        return bool(self.part.entries) or not self.directory.sent


class Preparation:
    """Prepare stage directories.

    Args:
        paths: local and remote roots of the stage directories.
        scratch: local directory for translated files.
    """

    def __init__(self, paths: PathMap, scratch: Path) -> None:
        self._paths = paths
        self._scratch = scratch

    async def prepare(self, directory: StageDirectory, script: Script | None = None) -> PreparedDirectory:
        """Choose the entries to send, and translate files that name local paths.

        Args:
            directory: the stage directory.
            script: the job script, if it has one.

        Raises:
            StagingError: the stage directory can't be read, or a file that the job needs is a placeholder.
        """
        prepared, untranslated = await asyncio.to_thread(self._prepare, directory, script)
        if untranslated:
            more = f" and {len(untranslated) - NAMED} more" if len(untranslated) > NAMED else ""
            _LOGGER.warning(
                "sent untranslated although they name local directories: %s: %s%s; "
                "the job can't use these paths on the system",
                directory.local,
                ", ".join(untranslated[:NAMED]),
                more,
            )
        return prepared

    async def prepare_source(self, directory: StageDirectory, files: SourceFiles) -> PreparedDirectory:
        """Translate files of the tests' code; their texts may name further files.

        Args:
            directory: the directory that represents them.
            files: what is sent.

        Raises:
            StagingError: a file can't be read.
        """
        return await asyncio.to_thread(self._prepare_source, directory, files)

    def _prepare_source(self, directory: StageDirectory, files: SourceFiles) -> PreparedDirectory:
        translator = Translator(self._paths, files.root, self._scratch)
        texts = translator.translate(files.entries, None, unchanged, None)
        part = ArchivePart(directory.relative, files.entries, texts.replaced, translated=texts.files)
        return PreparedDirectory(directory, part, frozenset(texts.named), sources=frozenset(texts.sources))

    def _prepare(
        self, directory: StageDirectory, script: Script | None
    ) -> tuple[PreparedDirectory, list[str]]:
        """Return the directory, and its files that name local paths but could not be translated."""
        here = scan(directory.local)
        found = changed(here, directory.fingerprints)
        if script and script.name in here:
            # Each submission has a script with its own token.
            found[script.name] = here[script.name]
        entries = {path: entry for path, entry in found.items() if entry.kind is not Kind.PLACEHOLDER}
        translator = Translator(self._paths, directory.local, self._scratch)
        name, rewrite = (script.name, script.rewrite) if script else (None, unchanged)
        # Tasks of an array share the directory, so they must not copy inputs over each other's.
        digest_from = SHARED_FROM if script and script.share and not script.is_array else None
        texts = translator.translate(entries, name, rewrite, digest_from)
        directory.lacking = {path: found[path].target for path in found.keys() - entries.keys()}
        directory.lacking |= texts.placeholders
        if script is not None:
            directory.check_for([directory.local])
        for path in texts.placeholders:
            del entries[path]
        part = ArchivePart(directory.relative, entries, texts.replaced, translated=texts.files)
        prepared = PreparedDirectory(
            directory,
            part,
            frozenset(texts.named),
            script,
            paths=frozenset(texts.paths),
            sources=frozenset(texts.sources),
        )
        return _with_script_facts(prepared, here.keys(), texts.digests), texts.untranslated


def _with_script_facts(
    prepared: PreparedDirectory, local_files: Iterable[str], digests: Mapping[str, str]
) -> PreparedDirectory:
    """Add what depends on the job script.

    Args:
        prepared: the stage directory.
        local_files: paths of its files.
        digests: digests of its files that are large enough to be shared.
    """
    script, part, directory = prepared.script, prepared.part, prepared.directory
    if script is None or script.name not in part.replaced:
        # No job copies shared files.
        return prepared
    may_exist = {*local_files, *directory.remote, *directory.outputs}
    shareable = {
        path: InputContent(digest, posixpath.basename(path))
        for path, digest in digests.items()
        if path in part.entries and not part.is_rewritten(path)
    }
    return replace(
        prepared,
        truncates=any(is_output(path, script.outputs) for path in may_exist),
        names_account=names_account(part.replaced[script.name].decode("utf-8", "surrogateescape")),
        shareable=shareable,
    )
