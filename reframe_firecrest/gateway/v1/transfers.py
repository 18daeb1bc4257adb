"""What is too large for FirecREST v1's utilities, or takes them too long: by S3, and by Slurm jobs.

Unlike in v2, no job carries a large file: the gateway itself moves it between the storage and the system.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename
from typing import Generic, TypeVar

from reframe_firecrest.gateway.file_schemas import parse_size
from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.error_translation import failure_in_log
from reframe_firecrest.gateway.http.policy import TRANSFER_POLL_PAUSES
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.gateway.v1 import schemas
from reframe_firecrest.gateway.v1.client import Client, Form
from reframe_firecrest.gateway.v1.compute import Compute
from reframe_firecrest.gateway.v1.job_mapping import TRANSFER_NAME
from reframe_firecrest.gateway.v1.paths import accepted
from reframe_firecrest.gateway.v1.submission_search import days_before
from reframe_firecrest.gateway.v1.tasks import Tasks, failure_of
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job_follower import JobFollower, NoFollower

Result = TypeVar("Result")

FORM_READY, ARRIVED = "111", "114"
"""An upload's task: where to send the file, and done. After 115, an error, the gateway tries again."""

URL_READY, NOT_READY = "117", "118"
"""A download's task: where the file is, and an error."""

PREPARATION = 90.0
"""Seconds for the gateway to make a form."""

INTERVAL = 180.0
"""Seconds that a transfer may take beyond what its size takes: gateways look for new objects once a
minute."""

SLOWEST = 1 << 20
"""Bytes a second, between storage and system, at the least."""

LOOKS = (1.0, 3.0, 6.0)
"""Seconds before each look for a job whose submission is uncertain."""

TRANSFERS = 3
"""Transfers that are begun for one file, or jobs for one archive, until something counts as out of order."""


@dataclass(frozen=True)
class _Way(Generic[Result]):
    """One way by the storage.

    Attributes:
        ready: the state of a task that has what is wanted.
        wanted: takes it out of the task's data.
    """

    endpoint: str
    ready: str
    wanted: Callable[[object], Result]


_THERE = _Way("upload", FORM_READY, schemas.parse_upload_form)
_BACK = _Way("download", URL_READY, schemas.parse_download_url)


class Transfers:
    """The API's section ``/storage``.

    Args:
        connection: the way there, and to the storage.
        client: makes single requests.
        tasks: waits for what they come to.
        compute: submits and cancels.
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
        self._account = connection.settings.account
        self._client = client
        self._tasks = tasks
        self._compute = compute
        self.follower: JobFollower = NoFollower()
        self.max_size: int | None = None
        self._doubtful: dict[str, set[str]] = {}

    # --- large files --------------------------------------------------------------------------------

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
        if self.max_size is not None and size > self.max_size:
            raise errors.TooLargeError(
                f"uploading {size} bytes on {self._call.where} failed: the gateway's storage takes files of "
                f"up to {self.max_size} bytes; send less with one test"
            )
        for left in reversed(range(TRANSFERS)):
            # The gateway moves what arrives in the storage whenever it does.
            remote = next(paths)
            form = {"targetPath": accepted(remote), "sourcePath": basename(remote)}
            task_id, where = await self._begin(_THERE, form, PREPARATION)
            try:
                await self._objects.put_form(local, size, where, progress)
            except errors.FinalError:
                # Nothing waits for what was not sent: the next form is a new one.
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
        """Bring a remote file to a local path.

        Args:
            remote: the path of the file.
            local: where it appears when all of it is here.
            size_hint: about how many bytes it has.
            progress: told of its way.

        Raises:
            GatewayError: it did not come.
        """
        form = {"sourcePath": accepted(remote)}
        within = INTERVAL + min(2 * size_hint, self.max_size or 2 * size_hint) / SLOWEST
        for left in reversed(range(TRANSFERS)):
            try:
                _, url = await self._begin(_BACK, form, within)
                await self._objects.get(url, local, size_hint, progress)
            except (errors.LimitExceededError, errors.NotFoundError):
                raise
            except errors.FinalError:
                if not left:
                    raise
            else:
                return

    async def _begin(self, way: _Way[Result], form: Form, within: float) -> tuple[str, Result]:
        """Open a transfer; returns its task and what is wanted of it, without which it is of no use."""

        async def ask() -> tuple[str, Result]:
            task_id = await self._call(
                operations.OPEN, lambda: self._task_id(f"/storage/xfer-external/{way.endpoint}", form)
            )
            task = await self._tasks.reach(operations.OPEN, task_id, within, (way.ready, NOT_READY))
            if task.status == NOT_READY:
                raise failure_of(operations.OPEN, task, self._call.where)
            return task_id, way.wanted(task.data)

        # A transfer that nobody goes on with leaves nothing on the system.
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

    # --- jobs ---------------------------------------------------------------------------------------

    async def remove(self, path: str) -> None:
        """Remove a file or a tree by a job.

        Raises:
            GatewayError: it was not removed.
        """
        await self.run("rm", {"targetPath": path}, path, "removing a large directory")

    async def compress(self, form: Form, paths: Iterator[str]) -> str:
        """Pack an archive by a job; return its path.

        Args:
            form: what is packed.
            paths: of the archive, one for each attempt.

        Raises:
            GatewayError: it was not packed.
        """
        for left, path in zip(reversed(range(TRANSFERS)), paths, strict=False):
            try:
                await self.run("compress", {**form, "targetPath": path}, path, "packing many files")
            except errors.UncertainError:
                if not left:
                    raise
            else:
                return path
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def rule_out(self, path: str) -> None:
        """Cancel the jobs that may work on a path; one that comes later must not find it any more.

        Raises:
            GatewayError: there may still be one.
        """
        if path in self._doubtful:
            rows = [row for row in await self._compute.queue() if row.name in self._doubtful[path]]
            await asyncio.gather(*(self._compute.cancel(row.job_id) for row in rows))

    async def run(self, command: str, form: Form, about: str, what: str) -> None:
        """Have a job do what takes the utilities too long, and wait for its end.

        Args:
            command: such as ``compress``.
            form: its paths.
            about: the path that it works on, which tells to whom the job belongs.
            what: it does, for messages.

        Raises:
            UncertainError: there may be a job or come one; see `rule_out`.
            GatewayError: it was not done.
        """
        # What removes a run's directory must not be taken for a job of that run.
        owner = "" if command == "rm" else accepted(about)
        job_id, log = await self._submit(command, form, owner)
        try:
            parts = await self.follower.wait_until_ended(job_id)
        except BaseException as error:
            # Nobody would ever look at what it makes.
            if not isinstance(error, errors.JobLostError):
                await asyncio.shield(self._compute.cancel(job_id))
            raise
        for part in parts:
            if part.state != "COMPLETED" or part.exit_code:
                raise errors.RejectedError(
                    f"{what} on {self._call.where} failed: job {job_id} ended as {part.state} with exit code "
                    f"{part.exit_code}; its log on the system: {log}"
                )
        await self._read(log, what)

    async def _submit(self, command: str, form: Form, owner: str) -> tuple[str, str]:
        """Have a job queued, once in effect; returns its id and the path of its log of errors.

        Only a removal is repeated where none is found: a late job of another kind would change what was
        written meanwhile.
        """
        if self._account:
            form = {**form, "account": self._account}
        for left in reversed(range(TRANSFERS if command == "rm" else 1)):
            asked = clock()
            name = f"{TRANSFER_NAME}{owner}#{secrets.token_hex(6)}"
            try:
                submitted = await self._compute.begin(
                    operations.QUEUE, f"/storage/xfer-internal/{command}", {**form, "jobName": name}
                )
            except errors.UncertainError:
                self._doubtful.setdefault(owner, set()).add(name)
                found = await self._find(name, asked)
                if found is not None:
                    return found
                if not left:
                    raise
            else:
                return submitted.job_id or "", submitted.log
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _find(self, name: str, asked: float) -> tuple[str, str] | None:
        """Look for a job of ours; one that has ended without its log being known is as good as none."""
        for pause in LOOKS:
            await asyncio.sleep(pause)
            for row in await self._compute.queue():
                if row.name == name:
                    return row.job_id, row.log
            if any(row.name == name for row in await self._compute.accounting(since=days_before(asked))):
                return None
        return None

    async def _read(self, log: str, what: str) -> None:
        """See in a job's log whether it went well: the job itself ends well in any case.

        Source: the recording ``submit_compress_job_missing`` of a real gateway.
        """

        async def ask() -> bytes:
            return await self._client.get_bytes("/utilities/download", {"sourcePath": log})

        for pause in TRANSFER_POLL_PAUSES:
            await asyncio.sleep(pause)
            try:
                text = (await self._call(operations.READ_LOG, ask)).decode("utf-8", "replace")
            except errors.NotFoundError:
                continue
            failure = failure_in_log(f"{what} on {self._call.where} failed", text)
            if failure is not None:
                raise failure
            return
        raise errors.RejectedError(
            f"{what} on {self._call.where} failed: the log of its job, {log}, is not there, so that nothing "
            "tells how it went"
        )
