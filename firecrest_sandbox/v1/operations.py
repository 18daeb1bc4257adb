"""The file operations as v1 carries them out: what it takes for a failure, and for an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from firecrest_sandbox.errors import CommandError
from firecrest_sandbox.filesystem.archives import Compression
from firecrest_sandbox.filesystem.operations import Operations, head_or_tail
from firecrest_sandbox.processes import Finished
from firecrest_sandbox.v1.errors import RefusedError

COPY_OPTIONS = ("--force", "-d", "--preserve=all")
_COMPLAINTS_ON_STDOUT = ("No such file", "no read permission", "cannot open")
_EXTRACTED: dict[str, Compression] = {
    ".tar": Compression.NONE,
    ".bz2": Compression.BZIP2,
    ".gz": Compression.GZIP,
    ".tgz": Compression.GZIP,
}


@dataclass(frozen=True)
class Utilities(Operations):
    """The file operations, with v1's idea of what a failed command is."""

    async def run(self, *argv: str) -> Finished:
        """Run a command that has to succeed, and to keep quiet on standard error."""
        finished = await super().run(*argv)
        if finished.stderr:
            raise CommandError(1, finished.stderr)
        return finished

    async def file(self, path: str) -> str:
        """Return what kind of file it is; `file` complains on standard output."""
        text = await self.kind(path)
        if any(complaint in text for complaint in _COMPLAINTS_ON_STDOUT):
            raise CommandError(1, text)
        return text

    async def part(self, command: str, path: str, **amount: Any) -> str:
        """Return what `head` or `tail` shows of a text; what isn't UTF-8 is an error."""
        finished = await self.run(*head_or_tail(command, self.path(path), **amount))
        try:
            return finished.stdout.decode()
        except UnicodeDecodeError as error:
            raise CommandError(1, str(error)) from None


def extraction_of(source: str, extension: str, description: str) -> Compression:
    """Return how to unpack an archive: by the given extension, or the file's own for `auto`."""
    chosen = PurePosixPath(source).suffix if extension == "auto" else extension
    if chosen not in _EXTRACTED:
        raise RefusedError.because(description, f"Unsupported file format in {source}.")
    return _EXTRACTED[chosen]
