"""Translation of local paths in the files of a stage directory."""

from __future__ import annotations

import codecs
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.staging.inspection import CHUNK, Inspection, Needles, inspect, is_text
from reframe_firecrest.staging.local_sources import SourceFiles
from reframe_firecrest.staging.manifest import Entry, Kind
from reframe_firecrest.staging.paths import PathMap
from reframe_firecrest.staging.text_translation import Translation

IN_MEMORY = 65_536
"""Bytes up to which a translated text is kept in memory; a larger one is written to a file."""

Rewrite = Callable[[str], str]


@dataclass
class Translated:
    """Result of a translation.

    Attributes:
        replaced: translated contents, by path.
        files: local files with translated contents, by path.
        named: other local directories that must exist on the system.
        paths: local paths that the texts name.
        untranslated: files that still name a local directory.
        digests: requested digests of files.
        sources: files of the tests' code that the texts name.
        placeholders: files whose content marks them as placeholders, with the reason.
    """

    replaced: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    untranslated: list[str] = field(default_factory=list)
    sources: set[SourceFiles] = field(default_factory=set)
    digests: dict[str, str] = field(default_factory=dict)
    placeholders: dict[str, str] = field(default_factory=dict)


class Translator:
    """Translate the files of a stage directory.

    Args:
        paths: mapping of local to remote paths.
        directory: the stage directory, absolute.
        scratch: directory for large translated files.
    """

    def __init__(self, paths: PathMap, directory: str, scratch: Path) -> None:
        self._paths = paths
        self._directory = directory
        self._scratch = scratch
        self._needles = Needles.of(paths.roots(directory), paths.sources.roots)
        self._result = Translated()

    def translate(
        self, entries: Mapping[str, Entry], script: str | None, rewrite: Rewrite, digest_from: int | None
    ) -> Translated:
        """Translate the entries that name local directories.

        Args:
            entries: the entries to send.
            script: path of the job script, which is always rewritten.
            rewrite: further change of the script.
            digest_from: size in bytes from which a file's digest is computed; None for no digests.

        Raises:
            StagingError: a file can't be read.
        """
        for path, entry in entries.items():
            if entry.kind is not Kind.FILE:
                continue
            try:
                if path == script:
                    self._take_script(path, entry, rewrite)
                else:
                    self._take(path, entry, digest_from)
            except OSError as error:
                raise StagingError(f"{entry.source} can't be read: {error.strerror or error}") from None
        return self._result

    def _take_script(self, path: str, entry: Entry, rewrite: Rewrite) -> None:
        translation = self._paths.translation(self._directory)
        text = Path(entry.source).read_bytes().decode("utf-8", "surrogateescape")
        text = rewrite(translation.feed(text) + translation.finish())
        self._result.replaced[path] = text.encode("utf-8", "surrogateescape")
        self._note(translation)
        if translation.left:
            self._result.untranslated.append(path)

    def _take(self, path: str, entry: Entry, digest_from: int | None) -> None:
        wants_digest = digest_from is not None and entry.size >= digest_from
        seen = inspect(entry.source, self._needles, digest=wants_digest)
        if seen.placeholder is not None:
            self._result.placeholders[path] = seen.placeholder
            return
        if seen.digest is not None:
            self._result.digests[path] = seen.digest
        left = 0
        if (seen.named or seen.names_source) and _may_be_text(seen, entry):
            left = self._translate_text(path, entry)
        elif seen.named:
            left = 1
        if left or seen.escaped:
            self._result.untranslated.append(path)

    def _translate_text(self, path: str, entry: Entry) -> int:
        """Translate a text; return the number of paths that were left as they are."""
        translation = self._paths.translation(self._directory)
        if entry.size <= IN_MEMORY:
            text = Path(entry.source).read_bytes().decode("utf-8", "surrogateescape")
            translated = translation.feed(text) + translation.finish()
            if translated != text:
                self._result.replaced[path] = translated.encode("utf-8", "surrogateescape")
        else:
            self._result.files[path] = _translated_file(entry.source, translation, self._scratch)
        self._note(translation)
        return translation.left

    def _note(self, translation: Translation) -> None:
        self._result.named |= translation.named
        self._result.paths |= translation.paths
        self._result.sources |= translation.sources


def _may_be_text(seen: Inspection, entry: Entry) -> bool:
    return not seen.binary and is_text(entry.source)


def _translated_file(source: str, translation: Translation, scratch: Path) -> Path:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    handle, name = tempfile.mkstemp(prefix="translated-", dir=scratch)
    with os.fdopen(handle, "wb") as out, Path(source).open("rb") as file:
        while block := file.read(CHUNK):
            out.write(translation.feed(decoder.decode(block)).encode("utf-8", "surrogateescape"))
        rest = translation.feed(decoder.decode(b"", final=True)) + translation.finish()
        out.write(rest.encode("utf-8", "surrogateescape"))
    return Path(name)
