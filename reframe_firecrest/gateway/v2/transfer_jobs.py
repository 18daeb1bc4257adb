"""Slurm jobs of FirecREST v2's transfers: waiting for their end, and checking their results."""

from __future__ import annotations

import asyncio

from reframe_firecrest.gateway import file_schemas
from reframe_firecrest.gateway.deployment import Deployment
from reframe_firecrest.gateway.http import error_translation, operations
from reframe_firecrest.gateway.http.policy import TRANSFER_POLL_PAUSES
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.v2 import schemas
from reframe_firecrest.gateway.v2.client import Client
from reframe_firecrest.gateway.v2.orphaned_jobs import OrphanedJobs
from reframe_firecrest.model import errors
from reframe_firecrest.model.job_follower import JobFollower, NoFollower


class TransferJobs:
    """The jobs of one system's transfers.

    Args:
        deployment: the system, and what is known of it.
        client: makes single requests.
        call: retries them and translates their errors.

    Attributes:
        follower: waits for the jobs.
        orphaned: jobs that have to be cancelled.
    """

    def __init__(self, deployment: Deployment, client: Client, call: RetryingClient) -> None:
        self._system = deployment.system
        self._where = call.where
        self._client = client
        self._call = call
        self.follower: JobFollower = NoFollower()
        self.orphaned = OrphanedJobs(deployment, client, call)

    async def finish(self, transfer: schemas.Transfer, what: str) -> None:
        """Wait for a job.

        Args:
            transfer: the job's transfer.
            what: name of the operation, for messages.

        Raises:
            RejectedError: the job failed.
        """
        job = transfer.job.job_id
        try:
            parts = await self.follower.wait_until_ended(job)
        except asyncio.CancelledError:
            self.orphaned.give_up(job)
            raise
        except errors.JobHeldError:
            self.orphaned.give_up(job)
            await self.orphaned.cancel()
            raise
        for part in parts:
            if not part.succeeded:
                raise errors.RejectedError(
                    f"{what} on {self._where} failed: transfer job {job} ended as {part.state} with "
                    f"exit code {part.exit_code}; its log on the system: {_log_of(transfer)}"
                )

    async def finish_command(self, transfer: schemas.Transfer, what: str) -> None:
        """Wait for a job that runs a command, and check its log, since the job always reports success."""
        await self.finish(transfer, what)
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

    async def expect_size(self, transfer: schemas.Transfer, what: str, remote: str, size: int) -> None:
        """Check that an upload has arrived, since the job reports success even if it failed to write.

        Source: the recording ``transfer_upload_unwritable_dir`` of a real gateway.
        """
        found = "is missing"
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

    async def expect_gone(self, transfer: schemas.Transfer, what: str, remote: str) -> None:
        """Check that a path is removed, since the job reports success even if it could not remove it."""
        for pause in TRANSFER_POLL_PAUSES:
            await asyncio.sleep(pause)
            if await self._size_of(remote) is None:
                return
        raise self._false_success(transfer, what, f"{remote} still exists", "the permissions of its files")

    async def _size_of(self, remote: str) -> int | None:
        """Return the bytes of a file, None if it is missing."""

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
    return transfer.error_log or "unknown"
