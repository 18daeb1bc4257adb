"""What is too large for a gateway or takes it too long: done by Slurm jobs, by way of an object store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import TypeVar

from reframe_firecrest.gateway import file_schemas
from reframe_firecrest.gateway.http import error_translation, operations
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.gateway.http.policy import TRANSFER_POLL_PAUSES
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.object_storage.object_storage import ObjectStorage
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.gateway.v2 import schemas
from reframe_firecrest.gateway.v2.client import Client
from reframe_firecrest.gateway.v2.orphaned_jobs import OrphanedJobs
from reframe_firecrest.model import errors
from reframe_firecrest.model.job_follower import JobFollower, NoFollower
from reframe_firecrest.settings import Settings

Result = TypeVar("Result")


TRANSFERS = 3
"""Transfers that are begun for one file, each with new URLs, until the storage counts as out of order."""


class Transfers:
    """The API's section ``/filesystem/{system}/transfer``.

    Args:
        settings: system and account.
        client: makes single requests.
        call: repeats and translates them.
        objects: carries files to and from the storage.
    """

    def __init__(
        self,
        settings: Settings,
        client: Client,
        call: RetryingClient,
        objects: ObjectStorage,
    ) -> None:
        self._system = settings.system
        self._account = settings.account
        self._where = call.where
        self._client = client
        self._call = call
        self._objects = objects
        self.follower: JobFollower = NoFollower()
        self._orphaned_jobs = OrphanedJobs(settings.system, client, call)

    async def upload(self, local: Path, paths: Iterator[str], progress: Progress | None = None) -> str:
        """Bring a local file to a remote path; return it.

        Args:
            local: the file.
            paths: of the remote file, one for each attempt.
            progress: told of its way.

        Raises:
            GatewayError: it did not arrive.
        """
        size = (await asyncio.to_thread(local.stat)).st_size
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
                # The job would wait in vain for what was to be sent, holding a node meanwhile.
                self._orphaned_jobs.give_up(transfer.job.job_id)
                if not isinstance(error, errors.GatewayError):
                    raise
                await self._orphaned_jobs.cancel()
                if not left or not isinstance(error, errors.FinalError):
                    raise
            else:
                break
        await self._finish(transfer, what)
        await self._expect_size(transfer, what, remote, size)
        return remote

    async def download(self, remote: str, local: Path, listed: int, progress: Progress | None = None) -> None:
        """Bring a remote file to a local path.

        Args:
            remote: the path of the file.
            local: where it appears when all of it is here.
            listed: bytes that it was listed with; not much more is fetched.
            progress: told of its way.

        Raises:
            GatewayError: it did not come.
        """
        body: dict[str, object] = {
            "source_path": remote,
            "transfer_directives": {"transferMethod": "s3"},
        }
        for left in reversed(range(TRANSFERS)):
            transfer, url, _ = await self._open(
                "download", repeat((remote, body)), lambda opened: opened.download_url
            )
            await self._finish(transfer, "downloading a large file")
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
            UncertainError: there may be a job that unpacks it or will; see `rule_out`.
            GatewayError: it was not unpacked.
        """
        transfer, _, _ = await self._open("extract", repeat((archive, body)), _nothing, operations.UNPACK)
        try:
            await self._finish_command(transfer, "unpacking a large archive")
        except errors.UncertainError:
            self._orphaned_jobs.give_up(transfer.job.job_id)
            self._orphaned_jobs.suspect(archive)
            raise

    async def rule_out(self, archive: str) -> None:
        """Cancel the jobs that may unpack an archive; one that comes later must not find it any more.

        Raises:
            GatewayError: there may still be one.
        """
        await self._orphaned_jobs.rule_out(archive)

    async def compress(self, paths: Iterator[str], body: dict[str, object]) -> str:
        """Pack an archive; return its path.

        Args:
            paths: of the archive, one for each attempt.
            body: what is packed.

        Raises:
            GatewayError: it was not packed.
        """
        bodies = ((path, {**body, "target_path": path}) for path in paths)
        transfer, _, archive = await self._open("compress", bodies, _nothing)
        await self._finish_command(transfer, "packing many files")
        return archive

    async def remove(self, path: str) -> None:
        """Remove a file or a tree.

        Raises:
            GatewayError: it was not removed.
        """

        async def ask() -> schemas.Transfer:
            endpoint = f"/filesystem/{self._system}/transfer/rm"
            return schemas.parse_transfer(await self._client.delete(endpoint, {"path": path}, 200))

        what = "removing a large directory"
        transfer = await self._call(operations.TRANSFER, ask)
        await self._finish(transfer, what)
        await self._expect_gone(transfer, what, path)

    async def close(self) -> None:
        """Leave no job behind that nobody waits for."""
        await self._orphaned_jobs.cancel()

    async def _open(
        self,
        endpoint: str,
        bodies: Iterator[tuple[str, dict[str, object]]],
        wanted: Callable[[schemas.Transfer], Result],
        operation: Operation = operations.TRANSFER,
    ) -> tuple[schemas.Transfer, Result, str]:
        """Open a transfer; returns it, what is wanted of it, without which it is of no use, and its path.

        Args:
            endpoint: of the API's section.
            bodies: what each attempt tells it, and a path in that which no other run's jobs name.
            wanted: takes it out of the answer.
            operation: as the policy calls it.
        """
        account = {"account": self._account} if self._account else {}
        asked: list[str] = []

        async def ask() -> tuple[schemas.Transfer, Result, str]:
            about, body = next(bodies)
            asked.append(about)
            answer = await self._client.post_json(
                f"/filesystem/{self._system}/transfer/{endpoint}", {**body, **account}, 201
            )
            opened = schemas.parse_transfer(answer)
            return opened, wanted(opened), about

        try:
            transfer, result, path = await self._call(operation, ask)
        except BaseException:
            self._orphaned_jobs.suspect(*asked)
            raise
        self._orphaned_jobs.follow(transfer.job.job_id)
        if len(asked) > 1:
            self._orphaned_jobs.suspect(*asked)
            await self._orphaned_jobs.cancel()
        return transfer, result, path

    async def _finish(self, transfer: schemas.Transfer, what: str) -> None:
        job = transfer.job.job_id
        try:
            parts = await self.follower.wait_until_ended(job)
        except asyncio.CancelledError:
            self._orphaned_jobs.give_up(job)
            raise
        except errors.JobHeldError:
            self._orphaned_jobs.give_up(job)
            await self._orphaned_jobs.cancel()
            raise
        for part in parts:
            if part.state != "COMPLETED" or part.exit_code:
                raise errors.RejectedError(
                    f"{what} on {self._where} failed: transfer job {job} ended as {part.state} with "
                    f"exit code {part.exit_code}; its log on the system: {_log_of(transfer)}"
                )

    async def _finish_command(self, transfer: schemas.Transfer, what: str) -> None:
        """Wait for a job that runs a command; only its log tells whether the command did what it should."""
        await self._finish(transfer, what)
        if not (path := transfer.error_log):
            return
        log = await self._read_log(path)
        failure = error_translation.failure_in_log(f"{what} on {self._where} failed", log)
        if failure:
            raise failure

    async def _read_log(self, path: str) -> str:
        for pause in TRANSFER_POLL_PAUSES:
            await asyncio.sleep(pause)
            try:
                content = await self._call(
                    operations.READ_LOG, lambda: self._client.download_direct(self._system, path)
                )
            except errors.NotFoundError as error:
                missing = error
                continue
            return content.decode("utf-8", "replace")
        raise missing

    async def _expect_size(self, transfer: schemas.Transfer, what: str, remote: str, size: int) -> None:
        """Look whether an upload has arrived: a job that could not write it reports success all the same.

        Source: the recording ``transfer_upload_unwritable_dir`` of a real gateway.
        """
        found = "is not there"
        for pause in TRANSFER_POLL_PAUSES:
            await asyncio.sleep(pause)
            there = await self._size_of(remote)
            if there == size:
                return
            if there is not None:
                found = f"has {there} bytes"
        raise self._false_success(
            transfer,
            what,
            f"{remote} {found}",
            "that the directory can be written and the quota is not used up",
        )

    async def _expect_gone(self, transfer: schemas.Transfer, what: str, remote: str) -> None:
        """Look whether something is gone: a job that could not remove it reports success all the same."""
        for pause in TRANSFER_POLL_PAUSES:
            await asyncio.sleep(pause)
            if await self._size_of(remote) is None:
                return
        raise self._false_success(transfer, what, f"{remote} is still there", "who may remove what is in it")

    async def _size_of(self, remote: str) -> int | None:
        """Return the bytes of what is under a path, None if there is nothing."""

        async def ask() -> int:
            endpoint = f"/filesystem/{self._system}/ops/stat"
            return file_schemas.parse_size(await self._client.get_json(endpoint, {"path": remote}))

        try:
            return await self._call(operations.STAT, ask)
        except errors.NotFoundError:
            return None

    def _false_success(
        self, transfer: schemas.Transfer, what: str, found: str, check: str
    ) -> errors.RejectedError:
        return errors.RejectedError(
            f"{what} on {self._where} failed: {found}, although transfer job {transfer.job.job_id} reports "
            f"success; check {check}; the job's log on the system: {_log_of(transfer)}"
        )


def _log_of(transfer: schemas.Transfer) -> str:
    return transfer.error_log or "not told"


def _nothing(_opened: schemas.Transfer) -> None:
    """For transfers whose job does it all."""
