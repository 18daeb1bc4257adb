"""File operations of v1: its criteria for failures, and its archive formats."""

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
_ERRORS_ON_STDOUT = ("No such file", "no read permission", "cannot open")
_EXTRACTED: dict[str, Compression] = {
    ".tar": Compression.NONE,
    ".bz2": Compression.BZIP2,
    ".gz": Compression.GZIP,
    ".tgz": Compression.GZIP,
}


@dataclass(frozen=True)
class Utilities(Operations):
    """The file operations, with v1's criteria for a failed command."""

    async def run(self, *argv: str) -> Finished:
        """Run a command that must succeed without error output."""
        finished = await super().run(*argv)
        if finished.stderr:
            raise CommandError(1, finished.stderr)
        return finished

    async def file(self, path: str) -> str:
        """Return the type of a file; `file` prints errors to standard output."""
        text = await self.kind(path)
        if any(error in text for error in _ERRORS_ON_STDOUT):
            raise CommandError(1, text)
        return text

    async def part(self, command: str, path: str, **amount: Any) -> str:
        """Return the output of `head` or `tail`; bytes that are not UTF-8 are an error."""
        finished = await self.run(*head_or_tail(command, self.path(path), **amount))
        try:
            return finished.stdout.decode()
        except UnicodeDecodeError as error:
            raise CommandError(1, str(error)) from None


def extraction_of(source: str, extension: str, description: str) -> Compression:
    """Return an archive's compression from the given extension, or from the file's own for `auto`."""
    chosen = PurePosixPath(source).suffix if extension == "auto" else extension
    if chosen not in _EXTRACTED:
        raise RefusedError.because(description, f"Unsupported file format in {source}.")
    return _EXTRACTED[chosen]
