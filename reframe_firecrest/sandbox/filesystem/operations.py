"""Runs a file operation's command for a gateway, within its limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from reframe_firecrest.sandbox.errors import CommandError, GatewayError, PathError
from reframe_firecrest.sandbox.filesystem.listing import LS, File, parse
from reframe_firecrest.sandbox.filesystem.paths import confined, links_out
from reframe_firecrest.sandbox.gateway import Gateway
from reframe_firecrest.sandbox.processes import Finished, run_command


@dataclass(frozen=True)
class Operations:
    """What every file operation needs of the gateway."""

    gateway: Gateway

    def path(self, raw: str | None, *, follow: bool = True) -> str:
        """Return a client's path if the sandbox may touch it; see `paths.confined`."""
        if raw is None:
            raise GatewayError(400, "All filesystem requests require a path or source_path parameter.")
        return confined(raw, self.gateway.root, self.gateway.config.system, follow=follow)

    def removable(self, raw: str) -> str:
        """Return the path of what a client wants removed: anything below the root, but not the root."""
        path = self.path(raw, follow=False)
        if path == str(self.gateway.root):
            raise CommandError(1, f"rm: cannot remove '{path}': Permission denied")
        return path

    async def refuse_links_out(self, path: str, *, deep: bool = True) -> None:
        """Refuse a tree whose links lead out of the root, before they are followed or written through."""
        link = await asyncio.to_thread(links_out, path, self.gateway.root, deep=deep)
        if link is not None:
            raise PathError.outside(link, self.gateway.config.system)

    async def run(self, *argv: str) -> Finished:
        """Run a command that has to succeed.

        Raises:
            CommandError: it failed.
            OperationTimeoutError, OutputLimitError: it exceeded the site's limits.
        """
        config = self.gateway.config
        finished = await run_command(argv, timeout=config.operation_timeout, output_limit=config.output_limit)
        if finished.status != 0:
            raise CommandError(finished.status, finished.stderr)
        return finished

    async def list(self, path: str, *options: str) -> list[File]:
        """Return what `ls -l` shows."""
        return parse((await self.run(*LS, *options, "--", path)).text)

    async def entry(self, path: str) -> File | None:
        """Return what `ls -ld` shows."""
        return next(iter(await self.list(path, "-d")), None)


def head_or_tail(command: str, path: str, *, size: int | None, lines: int | None, rest: str) -> Sequence[str]:
    """Return the command `head` or `tail` for bytes or lines.

    Args:
        command: `head` or `tail`.
        path: the file.
        size: how many bytes.
        lines: how many lines.
        rest: the sign that makes the command show all but so many, or nothing.
    """
    if size:
        return (command, f"--bytes={rest}{size}", "--", path)
    if lines:
        return (command, f"--lines={rest}{lines}", "--", path)
    return (command, "--", path)
