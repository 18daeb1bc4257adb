"""FirecREST v2's files: operations at once where they are small, transfers through S3 and Slurm where not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from posixpath import basename, dirname

from reframe_firecrest import errors
from reframe_firecrest.gateway import answers, moving, policy
from reframe_firecrest.gateway.calls import Caller
from reframe_firecrest.gateway.client import Client
from reframe_firecrest.gateway.limits import in_memory, usual
from reframe_firecrest.gateway.names import attempts
from reframe_firecrest.gateway.protocol import Archive, Progress, RemoteFile
from reframe_firecrest.gateway.selection import patterns
from reframe_firecrest.gateway.transfers import Transfers
from reframe_firecrest.settings import Settings

DEFAULT_DIRECT_UPLOAD = 5_242_880
"""Bytes; FirecREST's default where a gateway does not tell its own limit."""


class Filesystem:
    """The API's section ``/filesystem``; the methods are the gateway protocol's.

    Args:
        settings: the system.
        client: makes single requests.
        call: repeats and translates them.
        transfers: for what is too large or takes too long.
    """

    def __init__(self, settings: Settings, client: Client, call: Caller, transfers: Transfers) -> None:
        self._system = settings.system
        self._where = call.where
        self._client = client
        self._call = call
        self._transfers = transfers
        self._limits = usual(settings)
        self._max_direct = DEFAULT_DIRECT_UPLOAD
        self._longest_command = policy.LONGEST_COMMAND

    def _fs(self, endpoint: str) -> str:
        return f"/filesystem/{self._system}/{endpoint}"

    async def make_directory(self, path: str) -> None:
        """Create a directory and its parents."""
        body = {"sourcePath": path, "parent": True}
        await self._call(policy.MKDIR, lambda: self._client.post_json(self._fs("ops/mkdir"), body, 201))

    async def exists(self, path: str) -> bool:
        """Tell whether there is anything under a path."""

        async def ask() -> object:
            return await self._client.get_json(self._fs("ops/stat"), {"path": path})

        try:
            await self._call(policy.STAT, ask)
        except errors.NotFoundError:
            return False
        return True

    async def list_tree(self, path: str) -> list[RemoteFile]:
        """List everything below a directory."""
        return await self._list(path, recursive=True)

    async def list_directory(self, path: str) -> list[RemoteFile]:
        """List what lies in a directory itself."""
        return await self._list(path, recursive=False)

    async def _list(self, path: str, *, recursive: bool) -> list[RemoteFile]:
        params = {"path": path, "showHidden": True, "recursive": recursive}

        async def ask() -> list[RemoteFile]:
            return answers.files_of(await self._client.get_json(self._fs("ops/ls"), params))

        return await self._call(policy.LIST_FILES, ask)

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> str:
        """Bring a local file to a remote path; see the protocol."""
        paths = attempts(remote)

        async def at_once(content: bytes) -> str:
            async def ask() -> str:
                path = next(paths)
                await self._client.upload_direct(self._system, content, dirname(path), basename(path))
                return path

            return await self._call(policy.UPLOAD, ask)

        return await moving.upload(
            local, self._max_direct, at_once, lambda: self._transfers.upload(local, paths, progress)
        )

    async def download(
        self, remote: str, local: Path, *, size_hint: int, progress: Progress | None = None
    ) -> None:
        """Bring a remote file to a local path."""
        bounds = in_memory(self._limits, size_hint)

        async def at_once() -> bytes:
            return await self._call(
                policy.DOWNLOAD, lambda: self._client.download_direct(self._system, remote, bounds)
            )

        # The answer is base64 in the same window that limits uploads, and archives are compressed.
        await moving.download(
            local,
            size_hint,
            2 * self._max_direct,
            at_once,
            lambda: self._transfers.download(remote, local, size_hint, progress),
        )

    async def extract(self, archive: str, directory: str) -> None:
        """Unpack a gzipped tar archive into an existing directory; see the protocol."""
        body: dict[str, object] = {"source_path": archive, "target_path": directory, "compression": "gzip"}
        try:
            await self._call(
                policy.EXTRACT, lambda: self._client.post_json(self._fs("ops/extract"), body, 204)
            )
        except errors.OperationTimeoutError:
            # Unpacking again over what is there already is harmless: the archive holds the same files. But
            # what was cut off must have ended before anything is changed there.
            await asyncio.gather(self._transfers.extract(archive, body), self._command_over())

    async def withdraw(self, archive: str) -> None:
        """Make sure that nothing unpacks an archive any more; see the protocol."""
        await self.remove(archive)
        await self._transfers.rule_out(archive)
        await self._command_over()

    async def _command_over(self) -> None:
        """Wait until any command has ended that the gateway started before now.

        It runs them by ``timeout`` (``base_command_with_timeout.py`` of FirecREST v2).
        """
        await asyncio.sleep(self._longest_command + policy.MARGIN)

    async def archive(self, directory: str, files: Sequence[str], target: str) -> Sequence[Archive]:
        """Pack files that are named relative to a directory."""
        made = []
        for number, pattern in enumerate(patterns(files)):
            archive = f"{target}-{number}.tgz"
            # With a pattern, the gateway starts `find` in the parent of the source path.
            body: dict[str, object] = {
                "source_path": f"{directory}/x",
                "dereference": False,
                "compression": "gzip",
                "match_pattern": pattern,
            }
            made.append(Archive(await self._archive(body, archive)))
        return made

    async def _archive(self, body: dict[str, object], archive: str) -> str:
        paths = attempts(archive)

        async def ask() -> str:
            path = next(paths)
            await self._client.post_json(self._fs("ops/compress"), {**body, "target_path": path}, 204)
            return path

        try:
            return await self._call(policy.ARCHIVE, ask)
        except errors.OperationTimeoutError:
            # What lies under that name is incomplete; it is never looked at again.
            return await self._transfers.compress(attempts(archive.removesuffix(".tgz") + "-job.tgz"), body)

    async def remove(self, path: str) -> None:
        """Remove a file or a tree."""
        try:
            await self._call(
                policy.REMOVE, lambda: self._client.delete(self._fs("ops/rm"), {"path": path}, 204)
            )
        except errors.NotFoundError:
            return
        except errors.OperationTimeoutError:
            await self._transfers.remove(path)
