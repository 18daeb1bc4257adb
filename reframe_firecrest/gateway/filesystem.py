"""FirecREST v2's files: operations at once where they are small, transfers through S3 and Slurm where not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from posixpath import basename, dirname
from typing import TypeVar

from reframe_firecrest import errors
from reframe_firecrest.gateway import answers, policy
from reframe_firecrest.gateway.calls import Caller
from reframe_firecrest.gateway.client import Client
from reframe_firecrest.gateway.disk import arriving
from reframe_firecrest.gateway.objects import Objects
from reframe_firecrest.gateway.protocol import Progress, RemoteFile, WaitForJob
from reframe_firecrest.gateway.selection import patterns
from reframe_firecrest.settings import Settings

Result = TypeVar("Result")

DEFAULT_DIRECT_UPLOAD = 5_242_880
"""Bytes; FirecREST's default where a gateway does not tell its own limit."""

PAUSES_BETWEEN_LOOKS = (0.0, 0.5, 2.0)
"""Seconds before each look for an uploaded file: on a shared file system others see it a little later."""


class Filesystem:
    """The API's section ``/filesystem``; the methods are the gateway protocol's.

    Args:
        settings: system and account.
        client: makes single requests.
        call: repeats and translates them.
        objects: carries what is too large for a single request.
        wait_for_job: follows a transfer job to its end.
    """

    def __init__(
        self, settings: Settings, client: Client, call: Caller, objects: Objects, wait_for_job: WaitForJob
    ) -> None:
        self._system = settings.system
        self._account = settings.account
        self._where = call.where
        self._client = client
        self._call = call
        self._objects = objects
        self._wait_for_job = wait_for_job
        self._max_direct = DEFAULT_DIRECT_UPLOAD

    def _fs(self, endpoint: str) -> str:
        return f"/filesystem/{self._system}/{endpoint}"

    async def make_directory(self, path: str) -> None:
        """Create a directory and its parents."""
        body = {"sourcePath": path, "parent": True}
        await self._call(policy.MKDIR, lambda: self._client.post_json(self._fs("ops/mkdir"), body, 201))

    async def list_tree(self, path: str) -> list[RemoteFile]:
        """List everything below a directory."""
        params = {"path": path, "showHidden": True, "recursive": True}

        async def ask() -> list[RemoteFile]:
            return answers.files_of(await self._client.get_json(self._fs("ops/ls"), params))

        return await self._call(policy.LIST_FILES, ask)

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> None:
        """Bring a local file to a remote path."""
        size = (await asyncio.to_thread(local.stat)).st_size
        if size <= self._max_direct:
            content = await asyncio.to_thread(local.read_bytes)
            try:
                await self._call(
                    policy.UPLOAD,
                    lambda: self._client.upload_direct(
                        self._system, content, dirname(remote), basename(remote)
                    ),
                )
            except (errors.TooLargeError, errors.OperationTimeoutError):
                # A proxy's limit can be lower than the gateway's, and a slow file system takes more than 5 s.
                pass
            else:
                return
        body: dict[str, object] = {
            "path": remote,
            "transfer_directives": {"file_size": size, "transfer_method": "s3"},
        }
        transfer, urls = await self._open_transfer(
            "transfer/upload", self._with_account(body), lambda opened: opened.upload_urls(size)
        )
        try:
            await self._objects.put(local, size, urls, progress)
        except errors.GatewayError:
            await self._give_up(transfer)
            raise
        what = f"uploading {size} bytes"
        await self._finish_transfer(transfer, what)
        await self._expect_size(transfer, what, remote, size)

    async def download(
        self, remote: str, local: Path, *, size_hint: int, progress: Progress | None = None
    ) -> None:
        """Bring a remote file to a local path."""
        # The answer is base64 in the same window that limits uploads, and archives are compressed.
        if size_hint <= 2 * self._max_direct:
            try:
                content = await self._call(
                    policy.DOWNLOAD, lambda: self._client.download_direct(self._system, remote)
                )
            except (errors.TooLargeError, errors.OperationTimeoutError):
                pass
            else:
                with arriving(local) as file:
                    await file.write(content, 0)
                return
        body = self._with_account({"source_path": remote, "transfer_directives": {"transferMethod": "s3"}})
        transfer, url = await self._open_transfer(
            "transfer/download", body, lambda opened: opened.download_url
        )
        await self._finish_transfer(transfer, "downloading a large file")
        await self._objects.get(url, local, progress)

    async def extract(self, archive: str, directory: str) -> None:
        """Unpack a gzipped tar archive into an existing directory."""
        body: dict[str, object] = {"source_path": archive, "target_path": directory, "compression": "gzip"}
        try:
            await self._call(
                policy.EXTRACT, lambda: self._client.post_json(self._fs("ops/extract"), body, 204)
            )
        except errors.OperationTimeoutError:
            # Unpacking again over what is there already is harmless: the archive holds the same files.
            await self._transfer_job("transfer/extract", body, "unpacking a large archive")

    async def archive(self, directory: str, files: Sequence[str], target: str) -> Sequence[str]:
        """Pack files that are named relative to a directory."""
        made = []
        for number, pattern in enumerate(patterns(files)):
            archive = f"{target}-{number}.tgz"
            # With a pattern, the gateway starts `find` in the parent of the source path.
            body: dict[str, object] = {
                "source_path": f"{directory}/x",
                "target_path": archive,
                "dereference": False,
                "compression": "gzip",
                "match_pattern": pattern,
            }
            made.append(await self._archive(body, archive))
        return made

    async def _archive(self, body: dict[str, object], archive: str) -> str:
        try:
            await self._call(
                policy.ARCHIVE, lambda: self._client.post_json(self._fs("ops/compress"), body, 204)
            )
        except errors.OperationTimeoutError:
            # What lies under the first name is incomplete; it is never looked at again.
            archive = archive.removesuffix(".tgz") + "-job.tgz"
            await self._transfer_job(
                "transfer/compress", {**body, "target_path": archive}, "packing many files"
            )
        return archive

    async def _transfer_job(self, endpoint: str, body: dict[str, object], what: str) -> None:
        transfer, _ = await self._open_transfer(endpoint, self._with_account(body), lambda _: None)
        await self._finish_transfer(transfer, what)

    async def _open_transfer(
        self, endpoint: str, body: dict[str, object], wanted: Callable[[answers.Transfer], Result]
    ) -> tuple[answers.Transfer, Result]:
        """Open a transfer; returns it and what is wanted of it, without which it is of no use."""

        async def ask() -> tuple[answers.Transfer, Result]:
            opened = answers.transfer_of(await self._client.post_json(self._fs(endpoint), body, 201))
            return opened, wanted(opened)

        return await self._call(policy.TRANSFER, ask)

    def _with_account(self, body: dict[str, object]) -> dict[str, object]:
        return {**body, "account": self._account} if self._account else body

    async def _finish_transfer(self, transfer: answers.Transfer, what: str) -> None:
        job = transfer.job.job_id
        for part in await self._wait_for_job(job):
            if part.state != "COMPLETED" or part.exit_code:
                raise errors.RejectedError(
                    f"{what} on {self._where} failed: transfer job {job} ended as {part.state} with "
                    f"exit code {part.exit_code}; its log on the system: {transfer.error_log}"
                )

    async def _expect_size(self, transfer: answers.Transfer, what: str, remote: str, size: int) -> None:
        """Look whether an upload has arrived: a job that could not write it reports success all the same.

        Source: the recording ``transfer_upload_unwritable_dir`` of a real gateway.
        """

        async def ask() -> int:
            return answers.size_of(await self._client.get_json(self._fs("ops/stat"), {"path": remote}))

        found = "is not there"
        for pause in PAUSES_BETWEEN_LOOKS:
            await asyncio.sleep(pause)
            try:
                there = await self._call(policy.STAT, ask)
            except errors.NotFoundError:
                continue
            if there == size:
                return
            found = f"has {there} bytes"
        raise errors.RejectedError(
            f"{what} on {self._where} failed: {remote} {found}, although transfer job "
            f"{transfer.job.job_id} reports success; check that the directory can be written and the quota "
            f"is not used up; the job's log on the system: {transfer.error_log}"
        )

    async def _give_up(self, transfer: answers.Transfer) -> None:
        """Cancel a transfer job that would wait in vain for what was to be sent, holding a node meanwhile."""
        job = f"/compute/{self._system}/jobs/{transfer.job.job_id}"
        # Whatever comes of it, the error that led here is the one to tell.
        with suppress(errors.GatewayError, asyncio.TimeoutError):
            cancelled = self._call(policy.CANCEL, lambda: self._client.delete(job, None, 204))
            await asyncio.wait_for(cancelled, policy.CANCEL.timeout)

    async def remove(self, path: str) -> None:
        """Remove a file or a tree."""
        try:
            await self._call(
                policy.REMOVE, lambda: self._client.delete(self._fs("ops/rm"), {"path": path}, 204)
            )
        except errors.NotFoundError:
            return
        except errors.OperationTimeoutError:

            async def ask() -> answers.Transfer:
                answer = await self._client.delete(self._fs("transfer/rm"), {"path": path}, 200)
                return answers.transfer_of(answer)

            transfer = await self._call(policy.TRANSFER, ask)
            await self._finish_transfer(transfer, "removing a large directory")
