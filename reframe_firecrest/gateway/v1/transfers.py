"""Transfer of files that are too large for FirecREST v1's utilities, through S3.

Unlike in v2, this takes no job: the gateway itself moves a file between the storage and the system.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename
from typing import Generic, TypeVar

from reframe_firecrest.gateway.file_schemas import parse_size
from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.gateway.v1 import schemas
from reframe_firecrest.gateway.v1.client import Client, Form
from reframe_firecrest.gateway.v1.compute import Compute
from reframe_firecrest.gateway.v1.paths import accepted
from reframe_firecrest.gateway.v1.tasks import Tasks, failure_of
from reframe_firecrest.gateway.v1.transfer_jobs import TransferJobs
from reframe_firecrest.model import errors

Result = TypeVar("Result")

FORM_READY, ARRIVED = "111", "114"
"""States of an upload's task: the form is ready, and the file has arrived. After 115, an error, the gateway
retries."""

URL_READY, NOT_READY = "117", "118"
"""States of a download's task: the URL is ready, and an error."""

PREPARATION = 90.0
"""Seconds for the gateway to prepare a form."""

INTERVAL = 180.0
"""Seconds that a transfer may take in addition to those for its size: gateways look for new objects once a
minute."""

SLOWEST = 1 << 20
"""Least bytes a second between storage and system."""

TRANSFERS = 3
"""Transfers that are begun for one file, before it fails."""


@dataclass(frozen=True)
class _Direction(Generic[Result]):
    """One direction of a transfer.

    Attributes:
        ready: state of the task when its data is complete.
        parse: converts the task's data.
    """

    endpoint: str
    ready: str
    parse: Callable[[object], Result]


_UPLOAD = _Direction("upload", FORM_READY, schemas.parse_upload_form)
_DOWNLOAD = _Direction("download", URL_READY, schemas.parse_download_url)


class Transfers:
    """The API's section ``/storage``.

    Args:
        connection: to the gateway and the storage.
        client: makes single requests.
        call: retries them and translates their errors.
        tasks: waits for their results.
        compute: submits and cancels jobs.

    Attributes:
        jobs: for operations that need no storage, but a job.
        max_size: bytes that a file may have; None if the gateway does not report them.
    """

    def __init__(
        self,
        connection: Connection,
        client: Client,
        call: RetryingClient,
        *,
        tasks: Tasks,
        compute: Compute,
    ) -> None:
        self._call = call
        self._objects = connection.objects
        self._client = client
        self._tasks = tasks
        self.jobs = TransferJobs(connection.settings.account, client, call, compute)
        self.max_size: int | None = None

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
        if self.max_size is not None and size > self.max_size:
            raise errors.TooLargeError(
                f"uploading {size} bytes on {self._call.where} failed: the gateway's storage takes files of "
                f"up to {self.max_size} bytes; send less with one test"
            )
        for left in reversed(range(TRANSFERS)):
            # The gateway moves an object of the storage to the system at any time later.
            remote = next(paths)
            form = {"targetPath": accepted(remote), "sourcePath": basename(remote)}
            task_id, where = await self._begin(_UPLOAD, form, PREPARATION)
            try:
                await self._objects.put_form(local, size, where, progress)
            except errors.FinalError:
                # Nothing waits for the object; the next attempt has a new form.
                if not left:
                    raise
            else:
                break
        within = INTERVAL + size / SLOWEST
        await self._tasks.reach(operations.UPLOAD, task_id, within, (ARRIVED,))
        await self._expect_size(remote, size)
        return remote

    async def download(
        self, remote: str, local: Path, size_hint: int, progress: Progress | None = None
    ) -> None:
        """Download a file.

        Args:
            remote: the remote path.
            local: the local path; the file appears when it is complete.
            size_hint: approximate bytes of the file.
            progress: called for the file's bytes.

        Raises:
            GatewayError: the download failed.
        """
        form = {"sourcePath": accepted(remote)}
        within = INTERVAL + min(2 * size_hint, self.max_size or 2 * size_hint) / SLOWEST
        for left in reversed(range(TRANSFERS)):
            try:
                _, url = await self._begin(_DOWNLOAD, form, within)
                await self._objects.get(url, local, size_hint, progress)
            except (errors.LimitExceededError, errors.NotFoundError):
                raise
            except errors.FinalError:
                if not left:
                    raise
            else:
                return

    async def _begin(self, direction: _Direction[Result], form: Form, within: float) -> tuple[str, Result]:
        """Begin a transfer; return its task's id and parsed data."""

        async def ask() -> tuple[str, Result]:
            task_id = await self._call(
                operations.OPEN, lambda: self._task_id(f"/storage/xfer-external/{direction.endpoint}", form)
            )
            task = await self._tasks.reach(operations.OPEN, task_id, within, (direction.ready, NOT_READY))
            if task.status == NOT_READY:
                raise failure_of(operations.OPEN, task, self._call.where)
            return task_id, direction.parse(task.data)

        # A transfer that is begun and not used leaves nothing on the system.
        return await self._call.multi_request(operations.OPEN, ask)

    async def _task_id(self, endpoint: str, form: Form) -> str:
        return schemas.parse_task_id(await self._client.post(endpoint, form))

    async def _expect_size(self, remote: str, size: int) -> None:
        async def ask() -> int:
            return parse_size(await self._client.get("/utilities/stat", {"targetPath": remote}))

        there = await self._call(operations.STAT, ask)
        if there != size:
            raise errors.RejectedError(
                f"uploading {size} bytes on {self._call.where} failed: {remote} has {there} bytes, although "
                "the gateway reports success; check that the quota is not used up"
            )
