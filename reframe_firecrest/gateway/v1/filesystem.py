"""FirecREST v1's files: direct operations if they are small, otherwise S3 or Slurm jobs."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from posixpath import basename, dirname

from reframe_firecrest.gateway import direct_transfer
from reframe_firecrest.gateway.attempt_names import attempts
from reframe_firecrest.gateway.http import operations, policy
from reframe_firecrest.gateway.http.limits import in_memory
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.partial_packing import is_culprits, with_refused
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.gateway.v1 import schemas
from reframe_firecrest.gateway.v1.client import Client
from reframe_firecrest.gateway.v1.listing_cache import ListingCache
from reframe_firecrest.gateway.v1.packing import parts_of, sources_for
from reframe_firecrest.gateway.v1.paths import accepted, packable
from reframe_firecrest.gateway.v1.transfers import Transfers
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import Archive, RemoteFile

DEFAULT_LIMIT = 5 * 1024 * 1024
"""Bytes of a direct transfer if the gateway does not report its limit."""

FORM = 4096
"""Bytes of a form without its file: the limit applies to both together."""

LOOKS = 3
"""Attempts to list a directory in which entries vanish meanwhile."""


class Filesystem:
    """The API's section ``/utilities``; its methods are those of the gateway protocol.

    Args:
        client: makes single requests.
        call: retries them and translates their errors.
        transfers: for files that are too large and operations that take too long.
    """

    def __init__(self, client: Client, call: RetryingClient, transfers: Transfers) -> None:
        self._client = client
        self._call = call
        self._transfers = transfers
        self._limit = DEFAULT_LIMIT
        self._longest_command = policy.LONGEST_COMMAND
        self._inventory = ListingCache()
        self._numbers = itertools.count(1)

    @property
    def max_upload(self) -> int:
        """Bytes that a directly uploaded file may have."""
        return max(self._limit - FORM, 0)

    @property
    def max_download(self) -> int:
        """The same for a download, whose content is encoded in base64."""
        return self._limit * 3 // 4 - FORM

    def limit(self, size: int | None, seconds: float | None = None) -> None:
        """Set the gateway's limits: bytes of a file, and seconds of a command."""
        self._limit = size or DEFAULT_LIMIT
        self._longest_command = seconds or policy.LONGEST_COMMAND

    # --- listing ------------------------------------------------------------------------------------

    async def exists(self, path: str) -> bool:
        """Report whether a path exists."""
        try:
            await self._call(
                operations.STAT, lambda: self._client.get("/utilities/stat", {"targetPath": accepted(path)})
            )
        except errors.NotFoundError:
            return False
        return True

    async def list_tree(self, path: str) -> list[RemoteFile]:
        """List everything below a directory."""
        listing = await self._list(path, recursive=True)
        self._inventory.note(path, listing)
        return listing

    async def list_directory(self, path: str) -> list[RemoteFile]:
        """List the entries of a directory itself."""
        return await self._list(path, recursive=False)

    async def _list(self, path: str, *, recursive: bool) -> list[RemoteFile]:
        # The gateway fails to parse group names with blanks.
        params = {"targetPath": accepted(path), "showhidden": "true", "numericUid": "true"}
        if recursive:
            params["recursive"] = "true"

        async def ask() -> list[RemoteFile]:
            return schemas.parse_listing(await self._client.get("/utilities/ls", params))

        for left in reversed(range(LOOKS)):
            try:
                return await self._call(operations.LIST_FILES, ask)
            except errors.NotFoundError as error:
                if _is_about(path, error):
                    raise
                if not left:
                    raise errors.RejectedError(str(error), status=error.status) from None
        raise AssertionError("unreachable: the last attempt returns or raises")

    # --- transfer -----------------------------------------------------------------------------------

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> str:
        """Upload a file; see the protocol."""
        paths = attempts(remote)
        return await direct_transfer.upload(
            local,
            self.max_upload,
            lambda content: self._upload_direct(content, paths, operations.UPLOAD),
            lambda: self._transfers.upload(local, paths, progress),
        )

    async def upload_part(self, content: bytes, remote: str) -> str:
        """Create a file in one request; see the protocol."""
        return await self._upload_direct(content, attempts(remote), operations.UPLOAD_ONLY)

    async def _upload_direct(self, content: bytes, paths: Iterator[str], operation: Operation) -> str:
        async def ask() -> str:
            path = next(paths)
            form = {"targetPath": dirname(accepted(path))}
            await self._client.post_file("/utilities/upload", form, basename(path), content)
            return path

        return await self._call(operation, ask)

    async def download(
        self, remote: str, local: Path, *, size_hint: int, progress: Progress | None = None
    ) -> None:
        """Download a file; see the protocol."""
        # An archive is smaller than its content, which the hint is about.
        await direct_transfer.download(
            local,
            size_hint,
            2 * self.max_download,
            lambda: self._download_direct(remote, size_hint, operations.DOWNLOAD),
            lambda: self._transfers.download(remote, local, size_hint, progress),
        )

    async def download_part(self, remote: str, size: int) -> bytes:
        """Return the content of a file in one request; see the protocol."""
        return await self._download_direct(remote, size, operations.DOWNLOAD_ONLY)

    async def _download_direct(self, remote: str, size: int, operation: Operation) -> bytes:
        params = {"sourcePath": accepted(remote)}
        bounds = in_memory(self._client.limits, size)
        return await self._call(
            operation, lambda: self._client.get_bytes("/utilities/download", params, bounds)
        )

    # --- changes ------------------------------------------------------------------------------------

    async def make_directory(self, path: str) -> None:
        """Create a directory and its parents."""
        await self._post(operations.MKDIR, "mkdir", {"targetPath": accepted(path), "p": "true"})

    async def change_mode(self, path: str, mode: str) -> None:
        """Change the permissions of a file or directory; see the protocol."""
        form = {"targetPath": accepted(path), "mode": mode}
        await self._call(operations.CHMOD, lambda: self._client.put("/utilities/chmod", form))

    async def remove(self, path: str) -> None:
        """Remove a file or a tree."""
        form = {"targetPath": accepted(path)}
        for left in reversed(range(LOOKS)):
            try:
                await self._call(operations.REMOVE, lambda: self._client.delete("/utilities/rm", form))
            except errors.NotFoundError as error:
                if not _is_about(path, error) and left:
                    # An entry vanished meanwhile; those after it may still exist.
                    continue
            except errors.OperationTimeoutError:
                await self._transfers.jobs.remove(path)
            return

    async def extract(self, archive: str, directory: str) -> None:
        """Unpack a gzipped tar archive into an existing directory; see the protocol."""
        form = {"sourcePath": accepted(archive), "targetPath": accepted(directory), "type": ".tgz"}
        try:
            await self._post(operations.EXTRACT, "extract", form)
        except errors.OperationTimeoutError:
            # Unpacking again is harmless, since the archive is the same. But the command that was cut off
            # must have ended before the files are changed.
            await asyncio.gather(
                self._transfers.jobs.run("extract", form, archive, "unpacking a large archive"),
                self._command_over(),
            )

    async def withdraw(self, archive: str) -> None:
        """Ensure that no request unpacks an archive any more; see the protocol."""
        await self.remove(archive)
        await self._transfers.jobs.rule_out(archive)
        await self._command_over()

    async def _command_over(self) -> None:
        """Wait until all commands of the gateway have ended: it runs them with ``timeout``."""
        await asyncio.sleep(self._longest_command + policy.MARGIN)

    async def archive(self, directory: str, files: Sequence[str], target: str) -> Sequence[Archive]:
        """Pack files; see the protocol."""
        sizes, whole = self._inventory.below(directory)
        return await self._pack(directory, sources_for(files, sizes, whole), files, target)

    async def _pack(
        self, directory: str, sources: Sequence[str], files: Sequence[str], target: str
    ) -> list[Archive]:
        """Pack paths, and list the requested files of those that fail; at least one must succeed."""
        results = await asyncio.gather(
            *(self._archive(directory, source, files, target) for source in sources), return_exceptions=True
        )
        made: list[Archive] = []
        refused: dict[str, str] = {}
        for source, result in zip(sources, results, strict=True):
            if not isinstance(result, BaseException):
                made += result
            elif is_culprits(result):
                wanted = (path for path in files if path == source or path.startswith(f"{source}/"))
                refused.update(dict.fromkeys(wanted, str(result)))
            else:
                raise result
        if refused and not made:
            raise next(result for result in results if isinstance(result, BaseException))
        return with_refused(made, refused)

    async def _archive(self, directory: str, source: str, files: Sequence[str], target: str) -> list[Archive]:
        """Pack a file or a directory; if a directory fails, pack the requested files in it."""
        form = {"sourcePath": packable(f"{directory}/{source}")}

        async def ask() -> str:
            path = f"{target}-{next(self._numbers)}.tgz"
            await self._client.post("/utilities/compress", {**form, "targetPath": accepted(path)})
            return path

        try:
            archive = await self._call(operations.ARCHIVE, ask)
        except errors.OperationTimeoutError:
            # The archive of that name is incomplete and not used.
            archive = await self._transfers.jobs.compress(
                form, attempts(f"{target}-{next(self._numbers)}-job.tgz")
            )
        except (errors.ForbiddenError, errors.NotFoundError, errors.RejectedError):
            # The cause may be a file that is being written or unreadable, and not requested.
            parts = parts_of(source, files)
            if not parts:
                raise
            return await self._pack(directory, parts, files, target)
        return [Archive(archive, dirname(source))]

    async def _post(self, operation: Operation, endpoint: str, form: dict[str, str]) -> None:
        await self._call(operation, lambda: self._client.post(f"/utilities/{endpoint}", form))


def _is_about(path: str, error: errors.NotFoundError) -> bool:
    """Report whether an error is about a path itself, not about an entry in it."""
    text = str(error)
    return f"{path}/" not in text or f"'{path}'" in text
