"""Slurm jobs of FirecREST v1 for operations that take its utilities too long."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.error_translation import failure_in_log
from reframe_firecrest.gateway.http.policy import TRANSFER_POLL_PAUSES
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.v1.client import Client, Form
from reframe_firecrest.gateway.v1.compute import Compute
from reframe_firecrest.gateway.v1.job_mapping import TRANSFER_NAME
from reframe_firecrest.gateway.v1.paths import accepted
from reframe_firecrest.gateway.v1.submission_search import days_before
from reframe_firecrest.model import errors
from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job_follower import JobFollower, NoFollower

LOOKS = (1.0, 3.0, 6.0)
"""Seconds before each search for a job whose submission is uncertain."""

JOBS = 3
"""Jobs that are submitted for one operation, before it fails."""


class TransferJobs:
    """The API's section ``/storage/xfer-internal``.

    Args:
        account: to charge; None if none is known.
        client: makes single requests.
        call: retries them and translates their errors.
        compute: submits and cancels jobs.

    Attributes:
        account: to charge; None if none is known.
        follower: waits for the jobs.
    """

    def __init__(self, account: str | None, client: Client, call: RetryingClient, compute: Compute) -> None:
        self.account = account
        self._client = client
        self._call = call
        self._compute = compute
        self.follower: JobFollower = NoFollower()
        self._doubtful: dict[str, set[str]] = {}

    async def remove(self, path: str) -> None:
        """Remove a file or a tree with a job.

        Raises:
            GatewayError: it was not removed.
        """
        await self.run("rm", {"targetPath": path}, path, "removing a large directory")

    async def compress(self, form: Form, paths: Iterator[str]) -> str:
        """Pack an archive with a job; return its path.

        Args:
            form: the files to pack.
            paths: of the archive, one for each attempt.

        Raises:
            GatewayError: it was not packed.
        """
        for left, path in zip(reversed(range(JOBS)), paths, strict=False):
            try:
                await self.run("compress", {**form, "targetPath": path}, path, "packing many files")
            except errors.UncertainError:
                if not left:
                    raise
            else:
                return path
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def rule_out(self, path: str) -> None:
        """Cancel the jobs that may work on a path; the caller removes it, so that a later job fails.

        Raises:
            GatewayError: a job may remain.
        """
        if path in self._doubtful:
            rows = [row for row in await self._compute.queries.queue() if row.name in self._doubtful[path]]
            await asyncio.gather(*(self._compute.cancel(row.job_id) for row in rows))

    async def run(self, command: str, form: Form, about: str, what: str) -> None:
        """Run a command in a job and wait for its end.

        Args:
            command: such as ``compress``.
            form: its paths.
            about: the path that it works on, which identifies the run of the job.
            what: name of the operation, for messages.

        Raises:
            UncertainError: a job may exist, or may be queued later; see `rule_out`.
            GatewayError: the command failed.
        """
        # A job that removes a run's directory must not count as a job of that run.
        owner = "" if command == "rm" else accepted(about)
        job_id, log = await self._submit(command, form, owner)
        try:
            parts = await self.follower.wait_until_ended(job_id)
        except BaseException as error:
            # The result of the job would not be used.
            if not isinstance(error, errors.JobLostError):
                await asyncio.shield(self._compute.cancel(job_id))
            raise
        for part in parts:
            if not part.succeeded:
                raise errors.RejectedError(
                    f"{what} on {self._call.where} failed: job {job_id} ended as {part.state} with exit code "
                    f"{part.exit_code}; its log on the system: {log}"
                )
        await self._read(log, what)

    async def _submit(self, command: str, form: Form, owner: str) -> tuple[str, str]:
        """Queue a job, effectively once; return its id and the path of its error log.

        If no job is found, only a removal is queued again: another kind of job would, if it started late,
        overwrite what was written meanwhile.
        """
        if self.account:
            form = {**form, "account": self.account}
        for left in reversed(range(JOBS if command == "rm" else 1)):
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
        """Find one of our jobs; one that has ended, so that its log is unknown, does not count."""
        for pause in LOOKS:
            await asyncio.sleep(pause)
            for row in await self._compute.queries.queue():
                if row.name == name:
                    return row.job_id, row.log
            if any(
                row.name == name for row in await self._compute.queries.accounting(since=days_before(asked))
            ):
                return None
        return None

    async def _read(self, log: str, what: str) -> None:
        """Check a job's log for failures, since the job itself reports success in any case.

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
            f"{what} on {self._call.where} failed: the log of its job, {log}, is missing, so its "
            "result is unknown"
        )
