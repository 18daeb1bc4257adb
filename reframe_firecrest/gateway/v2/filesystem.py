"""FirecREST v2's files: operations at once where they are small, transfers through S3 and Slurm where not."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from posixpath import basename, dirname

from reframe_firecrest.gateway import direct_transfer
from reframe_firecrest.gateway.attempt_names import attempts
from reframe_firecrest.gateway.http import policy
from reframe_firecrest.gateway.http.limits import in_memory, usual
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.partial_packing import pack_what_can_be
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.gateway.v2 import schemas
from reframe_firecrest.gateway.v2.client import Client
from reframe_firecrest.gateway.v2.find_patterns import in_patterns, is_exact, patterns
from reframe_firecrest.gateway.v2.systems import DEFAULT_DIRECT_UPLOAD
from reframe_firecrest.gateway.v2.transfers import Transfers
from reframe_firecrest.model import errors
from reframe_firecrest.model.file_names import to_wire
from reframe_firecrest.model.remote_file import Archive, RemoteFile
from reframe_firecrest.settings import Settings

LOOKS = 3
"""Attempts to pack a file that is being written."""

_UNDER_WAY = re.compile("file changed as we read it|File shrank|File removed before we read it")
"""Complaints of GNU tar about a file that is being written or removed."""


class Filesystem:
    """The API's section ``/filesystem``; the methods are the gateway protocol's.

    Args:
        settings: the system.
        client: makes single requests.
        call: repeats and translates them.
        transfers: for what is too large or takes too long.
    """

    def __init__(
        self, settings: Settings, client: Client, call: RetryingClient, transfers: Transfers
    ) -> None:
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
        path = to_wire(path)
        if not _is_quotable(path):
            raise errors.RejectedError(
                f"FirecREST v2 can't list {path!r}: its name breaks the gateway's command"
            )
        params = {"path": path, "showHidden": True, "recursive": recursive}

        async def ask() -> list[RemoteFile]:
            return schemas.parse_listing(await self._client.get_json(self._fs("ops/ls"), params))

        return await self._call(policy.LIST_FILES, ask)

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> str:
        """Bring a local file to a remote path; see the protocol."""
        paths = attempts(remote)

        async def direct(content: bytes) -> str:
            async def ask() -> str:
                path = next(paths)
                await self._client.upload_direct(self._system, content, dirname(path), basename(path))
                return path

            return await self._call(policy.UPLOAD, ask)

        return await direct_transfer.upload(
            local, self._max_direct, direct, lambda: self._transfers.upload(local, paths, progress)
        )

    async def download(
        self, remote: str, local: Path, *, size_hint: int, progress: Progress | None = None
    ) -> None:
        """Bring a remote file to a local path."""
        bounds = in_memory(self._limits, size_hint)

        async def direct() -> bytes:
            return await self._call(
                policy.DOWNLOAD,
                lambda: self._client.download_direct(self._system, to_wire(remote), bounds),
            )

        # The answer is base64 in the same window that limits uploads, and archives are compressed.
        await direct_transfer.download(
            local,
            size_hint,
            2 * self._max_direct,
            direct,
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
        numbers = itertools.count()

        async def pack(chunk: Sequence[str]) -> Archive:
            return await self._pack(directory, chunk, f"{target}-{next(numbers)}")

        return await pack_what_can_be(in_patterns(sorted(files)), pack)

    async def _pack(self, directory: str, files: Sequence[str], target: str) -> Archive:
        """Pack files that one pattern selects."""
        [pattern] = patterns(files)
        # With a pattern, the gateway starts `find` in the parent of the source path.
        body = {"source_path": f"{directory}/x", "match_pattern": pattern}
        for left in reversed(range(LOOKS)):
            try:
                return Archive(await self._archive(body, f"{target}.tgz"))
            except errors.RejectedError as error:
                if len(files) > 1 or not left or not _UNDER_WAY.search(str(error)):
                    raise
                await asyncio.sleep(1.0)
            except errors.ForbiddenError:
                if len(files) > 1 or is_exact(files[0]) or not _is_nameable(files[0]):
                    raise
                # Its pattern may select others as well, and one of those may be at fault.
                body = {"source_path": to_wire(f"{directory}/{files[0]}")}
                return Archive(await self._archive(body, f"{target}-alone.tgz"), dirname(files[0]))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _archive(self, source: Mapping[str, object], archive: str) -> str:
        body = {**source, "dereference": False, "compression": "gzip"}
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

    async def change_mode(self, path: str, mode: str) -> None:
        """Change the permissions of a file or directory; see the protocol."""
        path = to_wire(path)
        if not _is_quotable(path):
            raise errors.RejectedError(
                f"FirecREST v2 can't change {path!r}: its name breaks the gateway's command"
            )
        body = {"path": path, "mode": mode}
        await self._call(policy.CHMOD, lambda: self._client.put_json(self._fs("ops/chmod"), body, 200))

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


def _is_quotable(path: str) -> bool:
    """Tell whether a path can stand in the gateway's commands, which put it in single quotes, and in JSON."""
    return "'" not in path and re.search("[\ud800-\udfff]", path) is None


def _is_nameable(path: str) -> bool:
    """Tell whether ``tar`` can be given a path by itself: one that begins with a dash would be an option."""
    return _is_quotable(to_wire(path)) and not basename(path).startswith("-")
