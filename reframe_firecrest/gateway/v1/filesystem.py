"""FirecREST v1's files: operations at once where they are small, S3 or Slurm jobs where not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from posixpath import basename, dirname

from reframe_firecrest.gateway import direct_transfer
from reframe_firecrest.gateway.attempt_names import attempts
from reframe_firecrest.gateway.http import policy
from reframe_firecrest.gateway.http.limits import in_memory
from reframe_firecrest.gateway.http.policy import Operation
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
"""Bytes; the limit of a gateway that does not tell its own."""

FORM = 4096
"""Bytes that a form has beside its file: the limit is one for both together."""

LOOKS = 3
"""Listings of a directory in which something vanishes while it is listed."""


class Filesystem:
    """The API's section ``/utilities``; the methods are the gateway protocol's.

    Args:
        client: makes single requests.
        call: repeats and translates them.
        transfers: for what is too large or takes too long.
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
        """Bytes that a file may have to be uploaded at once."""
        return max(self._limit - FORM, 0)

    @property
    def max_download(self) -> int:
        """The same for a download: its content must fit the same window in base64."""
        return self._limit * 3 // 4 - FORM

    def limit(self, size: int | None, seconds: float | None = None) -> None:
        """Take the gateway's limits: bytes of a file, and seconds of a command."""
        self._limit = size or DEFAULT_LIMIT
        self._longest_command = seconds or policy.LONGEST_COMMAND

    # --- looking ------------------------------------------------------------------------------------

    async def exists(self, path: str) -> bool:
        """Tell whether there is anything under a path."""
        try:
            await self._call(
                policy.STAT, lambda: self._client.get("/utilities/stat", {"targetPath": accepted(path)})
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
        """List what lies in a directory itself."""
        return await self._list(path, recursive=False)

    async def _list(self, path: str, *, recursive: bool) -> list[RemoteFile]:
        # Names of groups may have blanks, over which the gateway stumbles.
        params = {"targetPath": accepted(path), "showhidden": "true", "numericUid": "true"}
        if recursive:
            params["recursive"] = "true"

        async def ask() -> list[RemoteFile]:
            return schemas.parse_listing(await self._client.get("/utilities/ls", params))

        for left in reversed(range(LOOKS)):
            try:
                return await self._call(policy.LIST_FILES, ask)
            except errors.NotFoundError as error:
                if _is_about(path, error):
                    raise
                if not left:
                    raise errors.RejectedError(str(error), status=error.status) from None
        raise AssertionError("unreachable: the last look returns or raises")

    # --- moving -------------------------------------------------------------------------------------

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> str:
        """Bring a local file to a remote path; see the protocol."""
        form, paths = {"targetPath": dirname(accepted(remote))}, attempts(remote)

        async def direct(content: bytes) -> str:
            async def ask() -> str:
                path = next(paths)
                await self._client.post_file("/utilities/upload", form, basename(path), content)
                return path

            return await self._call(policy.UPLOAD, ask)

        return await direct_transfer.upload(
            local, self.max_upload, direct, lambda: self._transfers.upload(local, paths, progress)
        )

    async def download(
        self, remote: str, local: Path, *, size_hint: int, progress: Progress | None = None
    ) -> None:
        """Bring a remote file to a local path."""
        params = {"sourcePath": accepted(remote)}
        bounds = in_memory(self._client.limits, size_hint)

        async def direct() -> bytes:
            return await self._call(
                policy.DOWNLOAD, lambda: self._client.get_bytes("/utilities/download", params, bounds)
            )

        # An archive is smaller than what is in it.
        await direct_transfer.download(
            local,
            size_hint,
            2 * self.max_download,
            direct,
            lambda: self._transfers.download(remote, local, size_hint, progress),
        )

    # --- changing -----------------------------------------------------------------------------------

    async def make_directory(self, path: str) -> None:
        """Create a directory and its parents."""
        await self._post(policy.MKDIR, "mkdir", {"targetPath": accepted(path), "p": "true"})

    async def change_mode(self, path: str, mode: str) -> None:
        """Change the permissions of a file or directory; see the protocol."""
        form = {"targetPath": accepted(path), "mode": mode}
        await self._call(policy.CHMOD, lambda: self._client.put("/utilities/chmod", form))

    async def remove(self, path: str) -> None:
        """Remove a file or a tree."""
        form = {"targetPath": accepted(path)}
        for left in reversed(range(LOOKS)):
            try:
                await self._call(policy.REMOVE, lambda: self._client.delete("/utilities/rm", form))
            except errors.NotFoundError as error:
                if not _is_about(path, error) and left:
                    # Something in it has vanished meanwhile, and what comes behind that may still be there.
                    continue
            except errors.OperationTimeoutError:
                await self._transfers.remove(path)
            return

    async def extract(self, archive: str, directory: str) -> None:
        """Unpack a gzipped tar archive into an existing directory; see the protocol."""
        form = {"sourcePath": accepted(archive), "targetPath": accepted(directory), "type": ".tgz"}
        try:
            await self._post(policy.EXTRACT, "extract", form)
        except errors.OperationTimeoutError:
            # Unpacking again over what is there already is harmless: the archive holds the same files. But
            # what was cut off must have ended before anything is changed there.
            await asyncio.gather(
                self._transfers.run("extract", form, archive, "unpacking a large archive"),
                self._command_over(),
            )

    async def withdraw(self, archive: str) -> None:
        """Make sure that nothing unpacks an archive any more; see the protocol."""
        await self.remove(archive)
        await self._transfers.rule_out(archive)
        await self._command_over()

    async def _command_over(self) -> None:
        """Wait until all commands have ended that the gateway has started: it runs them by ``timeout``."""
        await asyncio.sleep(self._longest_command + policy.MARGIN)

    async def archive(self, directory: str, files: Sequence[str], target: str) -> Sequence[Archive]:
        """Pack files that are named relative to a directory."""
        sizes, whole = self._inventory.below(directory)
        return await self._pack(directory, sources_for(files, sizes, whole), files, target)

    async def _pack(
        self, directory: str, sources: Sequence[str], files: Sequence[str], target: str
    ) -> list[Archive]:
        """Pack sources, at least one of which can be packed, and note what is wanted of the others."""
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
        """Pack a file or a directory or, if that can't be packed as a whole, what is wanted of it."""
        form = {"sourcePath": packable(f"{directory}/{source}")}

        async def ask() -> str:
            path = f"{target}-{next(self._numbers)}.tgz"
            await self._client.post("/utilities/compress", {**form, "targetPath": accepted(path)})
            return path

        try:
            archive = await self._call(policy.ARCHIVE, ask)
        except errors.OperationTimeoutError:
            # What lies under that name is incomplete; it is never looked at again.
            archive = await self._transfers.compress(
                form, attempts(f"{target}-{next(self._numbers)}-job.tgz")
            )
        except (errors.ForbiddenError, errors.NotFoundError, errors.RejectedError):
            # Something in it may be written at this moment, or may not be read, and need not be wanted.
            parts = parts_of(source, files)
            if not parts:
                raise
            return await self._pack(directory, parts, files, target)
        return [Archive(archive, dirname(source))]

    async def _post(self, operation: Operation, endpoint: str, form: dict[str, str]) -> None:
        await self._call(operation, lambda: self._client.post(f"/utilities/{endpoint}", form))


def _is_about(path: str, error: errors.NotFoundError) -> bool:
    """Tell whether an error is about a path itself, not about something in it."""
    text = str(error)
    return f"{path}/" not in text or f"'{path}'" in text
