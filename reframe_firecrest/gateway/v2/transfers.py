"""Operations that are too large or too long for the gateway, with Slurm jobs and an object storage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import TypeVar

from reframe_firecrest.gateway.deployment import Deployment
from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.object_storage.object_storage import ObjectStorage
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.gateway.v2 import schemas
from reframe_firecrest.gateway.v2.client import Client
from reframe_firecrest.gateway.v2.transfer_jobs import TransferJobs
from reframe_firecrest.model import errors

Result = TypeVar("Result")


TRANSFERS = 3
"""Transfers that are begun for one file, each with new URLs, before it fails."""


class Transfers:
    """The API's section ``/filesystem/{system}/transfer``.

    Args:
        deployment: the system, and what is known of it.
        client: makes single requests.
        call: retries them and translates their errors.
        objects: transfers files to and from the storage.

    Attributes:
        deployment: the system, and what is known of it.
        jobs: of the transfers.
    """

    def __init__(
        self,
        deployment: Deployment,
        client: Client,
        call: RetryingClient,
        objects: ObjectStorage,
    ) -> None:
        self.deployment = deployment
        self._system = deployment.system
        self._client = client
        self._call = call
        self._objects = objects
        self.jobs = TransferJobs(deployment, client, call)

    async def upload(self, local: Path, paths: Iterator[str], progress: Progress | None = None) -> str:
        """Upload a file; return its remote path.

        Args:
            local: the file.
            paths: of the remote file, one for each attempt.
            progress: called for the file's bytes.

        Raises:
            GatewayError: the upload failed.
        """
        size = (await asyncio.to_thread(local.stat)).st_size
        self.deployment.require_storage("upload", size, self.deployment.capabilities.max_direct_upload)
        what = f"uploading {size} bytes"
        directives: dict[str, object] = {"file_size": size, "transfer_method": "s3"}
        bodies: Iterator[tuple[str, dict[str, object]]] = (
            (path, {"path": path, "transfer_directives": directives}) for path in paths
        )
        for left in reversed(range(TRANSFERS)):
            transfer, urls, remote = await self._open(
                "upload", bodies, lambda opened: opened.upload_urls(size)
            )
            try:
                await self._objects.put(local, size, urls, progress)
            except BaseException as error:
                # The job would wait in vain for the file, and occupy a node.
                self.jobs.orphaned.give_up(transfer.job.job_id)
                if not isinstance(error, errors.GatewayError):
                    raise
                await self.jobs.orphaned.cancel()
                if not left or not isinstance(error, errors.FinalError):
                    raise
            else:
                break
        await self.jobs.finish(transfer, what)
        await self.jobs.expect_size(transfer, what, remote, size)
        return remote

    async def download(self, remote: str, local: Path, listed: int, progress: Progress | None = None) -> None:
        """Download a file.

        Args:
            remote: the remote path.
            local: the local path; the file appears when it is complete.
            listed: bytes of the file in the listing; a download may not be much larger.
            progress: called for the file's bytes.

        Raises:
            GatewayError: the download failed.
        """
        self.deployment.require_storage("download", listed, self.deployment.capabilities.max_direct_download)
        body: dict[str, object] = {
            "source_path": remote,
            "transfer_directives": {"transferMethod": "s3"},
        }
        for left in reversed(range(TRANSFERS)):
            transfer, url, _ = await self._open(
                "download", repeat((remote, body)), lambda opened: opened.download_url
            )
            await self.jobs.finish(transfer, "downloading a large file")
            try:
                await self._objects.get(url, local, listed, progress)
            except errors.LimitExceededError:
                raise
            except errors.FinalError:
                if not left:
                    raise
            else:
                return

    async def extract(self, archive: str, body: dict[str, object]) -> None:
        """Unpack an archive.

        Raises:
            UncertainError: a job may be unpacking it, or may do so later; see `rule_out`.
            GatewayError: it was not unpacked.
        """
        transfer, _, _ = await self._open("extract", repeat((archive, body)), _nothing, operations.UNPACK)
        try:
            await self.jobs.finish_command(transfer, "unpacking a large archive")
        except errors.UncertainError:
            self.jobs.orphaned.give_up(transfer.job.job_id)
            self.jobs.orphaned.suspect(archive)
            raise

    async def rule_out(self, archive: str) -> None:
        """Cancel the jobs that may unpack an archive; the caller removes it, so that a later job fails.

        Raises:
            GatewayError: a job may remain.
        """
        await self.jobs.orphaned.rule_out(archive)

    async def compress(self, paths: Iterator[str], body: dict[str, object]) -> str:
        """Pack an archive; return its path.

        Args:
            paths: of the archive, one for each attempt.
            body: the files to pack.

        Raises:
            GatewayError: it was not packed.
        """
        bodies = ((path, {**body, "target_path": path}) for path in paths)
        transfer, _, archive = await self._open("compress", bodies, _nothing)
        await self.jobs.finish_command(transfer, "packing many files")
        return archive

    async def remove(self, path: str) -> None:
        """Remove a file or a tree.

        Raises:
            GatewayError: it was not removed.
        """

        async def ask() -> schemas.Transfer:
            endpoint = f"/filesystem/{self._system}/transfer/rm"
            return schemas.parse_transfer(await self._client.delete(endpoint, {"path": path, **account}, 200))

        what = "removing a large directory"
        account = self.deployment.account_parameter(what)
        try:
            transfer = await self._call(operations.TRANSFER, ask)
        except errors.RejectedError as error:
            raise self.deployment.explain(what, error) from None
        await self.jobs.finish(transfer, what)
        await self.jobs.expect_gone(transfer, what, path)

    def unsettled(self) -> float:
        """Return the seconds for which a job of a request without an answer may still be queued."""
        return self.jobs.orphaned.unsettled()

    async def close(self) -> None:
        """Cancel the jobs whose results are not used, those included that may still be queued."""
        await self.jobs.orphaned.finish()

    async def _open(
        self,
        endpoint: str,
        bodies: Iterator[tuple[str, dict[str, object]]],
        parse: Callable[[schemas.Transfer], Result],
        operation: Operation = operations.TRANSFER,
    ) -> tuple[schemas.Transfer, Result, str]:
        """Begin a transfer; return it, its parsed data and its path.

        Args:
            endpoint: in the API's section.
            bodies: for each attempt, a path that no other run's jobs name, and the request's body.
            parse: extracts the data that the transfer needs.
            operation: for the retry policy.
        """
        account = self.deployment.account_parameter(operation.name)
        asked: list[str] = []

        async def ask() -> tuple[schemas.Transfer, Result, str]:
            about, body = next(bodies)
            asked.append(about)
            answer = await self._client.post_json(
                f"/filesystem/{self._system}/transfer/{endpoint}", {**body, **account}, 201
            )
            opened = schemas.parse_transfer(answer)
            return opened, parse(opened), about

        try:
            transfer, result, path = await self._call(operation, ask)
        except BaseException as error:
            self.jobs.orphaned.suspect(*asked)
            if isinstance(error, errors.RejectedError):
                raise self.deployment.explain(operation.name, error) from None
            raise
        self.jobs.orphaned.follow(transfer.job.job_id)
        if len(asked) > 1:
            self.jobs.orphaned.suspect(*asked)
            await self.jobs.orphaned.cancel()
        return transfer, result, path


def _nothing(_opened: schemas.Transfer) -> None:
    """Return nothing: the job performs the whole transfer."""
