"""File operations of both API versions, and the paths that they may access.

Paths come from clients. Each operation resolves and checks its paths before it does anything.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from firecrest_sandbox.errors import CommandError, GatewayError, OperationTimeoutError, PathError
from firecrest_sandbox.filesystem.archives import (
    Compression,
    pack_command,
    pack_matching_command,
    unpack_command,
)
from firecrest_sandbox.filesystem.extraction import ExtractionError, OutOfTimeError, extract
from firecrest_sandbox.filesystem.listing import LS, File, FileStat, parse
from firecrest_sandbox.filesystem.paths import confined, links_out
from firecrest_sandbox.processes import Finished, run_command
from firecrest_sandbox.state import ServerState

_STAT_FIELDS = ("mode", "ino", "dev", "nlink", "uid", "gid", "size", "atime", "mtime", "ctime")


@dataclass(frozen=True)
class Operations:
    """File operations of one server."""

    server: ServerState

    def path(self, raw: str | None, *, follow: bool = True) -> str:
        """Return a client's path after checking it; see `paths.confined`."""
        if raw is None:
            raise GatewayError(400, "All filesystem requests require a path or source_path parameter.")
        return confined(raw, self.server.root, self.server.config.system, follow=follow)

    def removable(self, raw: str | None) -> str:
        """Return a path that a client may remove: any path below the root, but not the root."""
        path = self.path(raw, follow=False)
        if Path(path) == self.server.root:
            raise CommandError(1, f"rm: cannot remove '{path}': Permission denied")
        return path

    async def refuse_links_out(self, path: str, *, deep: bool = True) -> None:
        """Refuse a tree with links that lead out of the root, before an operation follows them."""
        link = await asyncio.to_thread(links_out, path, self.server.root, deep=deep)
        if link is not None:
            raise PathError.outside(link, self.server.config.system)

    async def run(self, *argv: str) -> Finished:
        """Run a command that must succeed.

        Raises:
            CommandError: the command failed.
            OperationTimeoutError, OutputLimitError: the command exceeded the site's limits.
        """
        config = self.server.config
        finished = await run_command(argv, timeout=config.operation_timeout, output_limit=config.buffer_limit)
        if finished.status != 0:
            raise CommandError(finished.status, finished.stderr)
        return finished

    async def list(
        self,
        raw: str,
        *,
        hidden: bool = False,
        numeric: bool = False,
        recursive: bool = False,
        dereference: bool = False,
    ) -> list[File]:
        """Return the entries of a directory, or of one file, from `ls -l`."""
        path = self.path(raw, follow=dereference)
        if dereference:
            await self.refuse_links_out(path, deep=recursive)
        flags = {"-A": hidden, "-n": numeric, "-R": recursive, "-L": dereference}
        options = [option for option, is_set in flags.items() if is_set]
        return parse((await self.run(*LS, *options, "--", path)).text)

    async def entry(self, path: str) -> File | None:
        """Return the entry of a checked path from `ls -ld`."""
        return next(iter(parse((await self.run(*LS, "-d", "--", path)).text)), None)

    async def stat(self, raw: str, *, dereference: bool) -> FileStat:
        """Return a file's inode."""
        path = self.path(raw, follow=dereference)
        follow = ["--dereference"] if dereference else []
        output = (await self.run("stat", *follow, "-c", "%f %i %d %h %u %g %s %X %Y %Z", "--", path)).text
        mode, *numbers = output.split()
        values = [int(mode, base=16), *map(int, numbers)]
        return FileStat(**dict(zip(_STAT_FIELDS, values, strict=True)))

    async def size(self, raw: str | None) -> int:
        """Return a file's size in bytes."""
        return int((await self.run("stat", "--dereference", "-c", "%s", "--", self.path(raw))).text)

    async def checksum(self, raw: str) -> str:
        """Return the SHA-256 of a file."""
        output = (await self.run("sha256sum", "--", self.path(raw))).text
        # A leading backslash marks an escaped file name (coreutils).
        return output.split()[0].lstrip("\\")

    async def kind(self, raw: str) -> str:
        """Return the type of a file as `file` reports it."""
        return (await self.run("file", "-b", "--", self.path(raw))).text.strip()

    async def content(self, raw: str) -> bytes:
        """Return a small file, whose base64 encoding must fit the output limit."""
        return base64.b64decode((await self.run("base64", "--wrap=0", "--", self.path(raw))).stdout)

    async def make_directory(self, raw: str | None, *, parents: bool) -> str:
        """Create a directory and return its path."""
        path = self.path(raw)
        await self.run("mkdir", *(["-p"] if parents else []), "--", path)
        return path

    async def make_link(self, raw_target: str | None, raw_link: str) -> str:
        """Create a symbolic link and return its path."""
        target = self.path(raw_target)
        link = self.path(raw_link, follow=False)
        if await asyncio.to_thread(Path(link).is_dir):
            # `ln` creates the link inside this directory.
            self.path(link)
        await self.run("ln", "-s", "--", target, link)
        return link

    async def change_mode(self, raw: str | None, mode: str) -> tuple[str, str]:
        """Change a file's mode; return its path and the output of `chmod -v`."""
        path = self.path(raw)
        return path, (await self.run("chmod", "-v", "--", mode, path)).text.rstrip("\n")

    async def change_owner(self, raw: str | None, owner: str, group: str) -> tuple[str, str]:
        """Change a file's owner and group; return its path and the output of `chown -v`."""
        path = self.path(raw)
        return path, (await self.run("chown", "-v", "--", f"{owner}:{group}", path)).text.rstrip("\n")

    async def remove(self, raw: str) -> None:
        """Remove a file, or a directory with its content."""
        await self.run("rm", "-r", "--interactive=never", "--", self.removable(raw))

    async def write(self, raw_directory: str, name: str | None, content: BinaryIO) -> None:
        """Write a file into a directory."""
        target = self.path(f"{self.path(raw_directory)}/{name}")
        await asyncio.to_thread(_write, content, target)

    async def packing(
        self,
        raw_source: str | None,
        raw_target: str,
        *,
        compression: Compression = Compression.GZIP,
        pattern: str | None = None,
        dereference: bool = False,
    ) -> Sequence[str]:
        """Return the command that packs a file or directory, or matching files of its parent."""
        source = self.path(raw_source, follow=dereference)
        target = self.path(raw_target)
        if dereference:
            await self.refuse_links_out(source)
        if pattern:
            self.path(str(Path(source).parent))
            return pack_matching_command(source, target, pattern=pattern, dereference=dereference)
        return pack_command(source, target, compression=compression, dereference=dereference)

    async def unpack(self, raw_source: str | None, raw_target: str, compression: Compression) -> None:
        """Unpack an archive into an existing directory, within the site's time limit."""
        source, target = self.path(raw_source), self.path(raw_target)
        try:
            await asyncio.to_thread(
                extract,
                Path(source),
                Path(target),
                mode=compression.read_mode,
                root=self.server.root,
                seconds=self.server.config.operation_timeout,
            )
        except ExtractionError as error:
            raise CommandError(2, f"tar: {error}\ntar: Error is not recoverable: exiting now") from None
        except OutOfTimeError:
            raise OperationTimeoutError from None

    def unpacking(self, raw_source: str | None, raw_target: str, compression: Compression) -> Sequence[str]:
        """Return the command that unpacks an archive in a job."""
        source, target = self.path(raw_source), self.path(raw_target)
        return unpack_command(source, target, compression=compression, root=self.server.root)

    async def copying(
        self, raw_source: str | None, raw_target: str, *options: str, dereference: bool = False
    ) -> Sequence[str]:
        """Return the command that copies a file or directory."""
        source = self.path(raw_source, follow=dereference)
        target = self.path(raw_target)
        if dereference:
            await self.refuse_links_out(source)
        # `cp` follows existing links below its target.
        await self.refuse_links_out(await asyncio.to_thread(_copy_destination, source, target))
        return ["cp", *options, *(["--dereference"] if dereference else []), "-R", "--", source, target]

    def moving(self, raw_source: str | None, raw_target: str, *options: str) -> Sequence[str]:
        """Return the command that moves a file or directory."""
        return ["mv", *options, "--", self.path(raw_source, follow=False), self.path(raw_target)]


def head_or_tail(
    command: str, path: str, *, size: int | str | None, lines: int | str | None, rest: str
) -> Sequence[str]:
    """Return the command `head` or `tail` for bytes or lines.

    Args:
        command: `head` or `tail`.
        path: the file.
        size: number of bytes.
        lines: number of lines.
        rest: the sign that excludes this number from the output, or an empty string.
    """
    if size:
        return (command, f"--bytes={rest}{size}", "--", path)
    if lines:
        return (command, f"--lines={rest}{lines}", "--", path)
    return (command, "--", path)


def _write(source: BinaryIO, target: str) -> None:
    try:
        with Path(target).open("wb") as file:
            shutil.copyfileobj(source, file)
    except OSError as error:
        raise CommandError(1, f"bash: line 1: {target}: {error.strerror}") from None


def _copy_destination(source: str, target: str) -> str:
    return f"{target}/{Path(source).name}" if Path(target).is_dir() else target
