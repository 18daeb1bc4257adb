"""FirecREST v2's files: direct operations if they are small, otherwise transfers with S3 and Slurm jobs."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from posixpath import basename, dirname

from reframe_firecrest.gateway import direct_transfer
from reframe_firecrest.gateway.attempt_names import attempts
from reframe_firecrest.gateway.http import operations, policy
from reframe_firecrest.gateway.http.limits import in_memory, usual
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.partial_packing import pack_what_can_be
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.gateway.v2 import schemas
from reframe_firecrest.gateway.v2.client import Client
from reframe_firecrest.gateway.v2.find_patterns import in_patterns, is_exact, patterns
from reframe_firecrest.gateway.v2.transfers import Transfers
from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import TransferMethod
from reframe_firecrest.model.file_names import to_wire
from reframe_firecrest.model.remote_file import Archive, RemoteFile
from reframe_firecrest.settings import Settings

LOOKS = 3
"""Attempts to pack a file that is being written."""

_UNDER_WAY = re.compile("file changed as we read it|File shrank|File removed before we read it")
"""Messages of GNU tar about a file that is being written or removed."""


class Filesystem:
    """The API's section ``/filesystem``; its methods are those of the gateway protocol.

    Args:
        settings: for the system and the limits.
        client: makes single requests.
        call: retries them and translates their errors.
        transfers: for files that are too large and operations that take too long.
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
        self._deployment = transfers.deployment

    def _fs(self, endpoint: str) -> str:
        return f"/filesystem/{self._system}/{endpoint}"

    @property
    def _has_storage(self) -> bool:
        return self._deployment.capabilities.transfer is TransferMethod.S3

    async def make_directory(self, path: str) -> None:
        """Create a directory and its parents."""
        body = {"sourcePath": path, "parent": True}
        await self._call(operations.MKDIR, lambda: self._client.post_json(self._fs("ops/mkdir"), body, 201))

    async def exists(self, path: str) -> bool:
        """Report whether a path exists."""

        async def ask() -> object:
            return await self._client.get_json(self._fs("ops/stat"), {"path": path})

        try:
            await self._call(operations.STAT, ask)
        except errors.NotFoundError:
            return False
        return True

    async def list_tree(self, path: str) -> list[RemoteFile]:
        """List everything below a directory."""
        return await self._list(path, recursive=True)

    async def list_directory(self, path: str) -> list[RemoteFile]:
        """List the entries of a directory itself."""
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

        try:
            return await self._call(operations.LIST_FILES, ask)
        except errors.TooLargeError as error:
            raise self._deployment.too_much_output(operations.LIST_FILES.name, error) from None

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> str:
        """Upload a file; see the protocol."""
        paths = attempts(remote)
        operation = operations.UPLOAD if self._has_storage else operations.UPLOAD_ONLY
        return await direct_transfer.upload(
            local,
            self._deployment.capabilities.max_direct_upload,
            lambda content: self._upload_direct(content, paths, operation),
            lambda: self._transfers.upload(local, paths, progress),
        )

    async def upload_part(self, content: bytes, remote: str) -> str:
        """Create a file in one request; see the protocol."""
        return await self._upload_direct(content, attempts(remote), operations.UPLOAD_ONLY)

    async def _upload_direct(self, content: bytes, paths: Iterator[str], operation: Operation) -> str:
        async def ask() -> str:
            path = next(paths)
            await self._client.upload_direct(self._system, content, dirname(path), basename(path))
            return path

        return await self._call(operation, ask)

    async def download(
        self, remote: str, local: Path, *, size_hint: int, progress: Progress | None = None
    ) -> None:
        """Download a file; see the protocol."""
        operation = operations.DOWNLOAD if self._has_storage else operations.DOWNLOAD_ONLY
        # The size is approximate, and that of an archive is the one of its files before compression.
        await direct_transfer.download(
            local,
            size_hint,
            2 * self._deployment.capabilities.max_direct_upload,
            lambda: self._download_direct(remote, size_hint, operation),
            lambda: self._transfers.download(remote, local, size_hint, progress),
        )

    async def download_part(self, remote: str, size: int) -> bytes:
        """Return the content of a file in one request; see the protocol."""
        return await self._download_direct(remote, size, operations.DOWNLOAD_ONLY)

    async def _download_direct(self, remote: str, size: int, operation: Operation) -> bytes:
        bounds = in_memory(self._limits, size)
        return await self._call(
            operation,
            lambda: self._client.download_direct(self._system, to_wire(remote), bounds),
        )

    async def extract(self, archive: str, directory: str) -> None:
        """Unpack a gzipped tar archive into an existing directory; see the protocol."""
        body: dict[str, object] = {"source_path": archive, "target_path": directory, "compression": "gzip"}
        try:
            await self._call(
                operations.EXTRACT, lambda: self._client.post_json(self._fs("ops/extract"), body, 204)
            )
        except errors.OperationTimeoutError:
            # Unpacking again is harmless, since the archive is the same. But the command that was cut off
            # must have ended before the files are changed.
            await asyncio.gather(self._transfers.extract(archive, body), self._command_over())

    async def withdraw(self, archive: str) -> None:
        """Ensure that no request unpacks an archive any more; see the protocol."""
        await self.remove(archive)
        await self._transfers.rule_out(archive)
        await self._command_over()

    async def _command_over(self) -> None:
        """Wait until all current commands of the gateway have ended.

        It runs them with ``timeout`` (``base_command_with_timeout.py`` of FirecREST v2).
        """
        longest = self._deployment.capabilities.command_timeout or policy.LONGEST_COMMAND
        await asyncio.sleep(longest + policy.MARGIN)

    async def archive(self, directory: str, files: Sequence[str], target: str) -> Sequence[Archive]:
        """Pack files; see the protocol."""
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
                # The pattern may select other files too, of which one may be the cause.
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
            return await self._call(operations.ARCHIVE, ask)
        except errors.OperationTimeoutError:
            # The archive of that name is incomplete and not used.
            return await self._transfers.compress(attempts(archive.removesuffix(".tgz") + "-job.tgz"), body)

    async def change_mode(self, path: str, mode: str) -> None:
        """Change the permissions of a file or directory; see the protocol."""
        path = to_wire(path)
        if not _is_quotable(path):
            raise errors.RejectedError(
                f"FirecREST v2 can't change {path!r}: its name breaks the gateway's command"
            )
        body = {"path": path, "mode": mode}
        await self._call(operations.CHMOD, lambda: self._client.put_json(self._fs("ops/chmod"), body, 200))

    async def remove(self, path: str) -> None:
        """Remove a file or a tree."""
        try:
            await self._call(
                operations.REMOVE, lambda: self._client.delete(self._fs("ops/rm"), {"path": path}, 204)
            )
        except errors.NotFoundError:
            return
        except errors.OperationTimeoutError:
            await self._transfers.remove(path)


def _is_quotable(path: str) -> bool:
    """Report whether a path can be part of JSON and of the gateway's commands, in single quotes."""
    return "'" not in path and re.search("[\ud800-\udfff]", path) is None


def _is_nameable(path: str) -> bool:
    """Report whether a path can be an argument of ``tar``, which reads a leading dash as an option."""
    return _is_quotable(to_wire(path)) and not basename(path).startswith("-")
