"""FirecREST v2 behind the gateway's protocol."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from posixpath import basename, dirname
from typing import TypeVar

import httpx

from reframe_firecrest import errors
from reframe_firecrest.gateway import cluster, policy, translate
from reframe_firecrest.gateway.auth import TokenSource
from reframe_firecrest.gateway.client import Client, CountingClient, Wire
from reframe_firecrest.gateway.policy import Operation, Patience
from reframe_firecrest.gateway.protocol import (
    AccountInfo,
    Cluster,
    JobPart,
    RemoteFile,
    SystemInfo,
    WaitForJob,
)
from reframe_firecrest.gateway.selection import patterns
from reframe_firecrest.settings import Settings

Result = TypeVar("Result")

DEFAULT_DIRECT_UPLOAD = 5_242_880
"""Bytes; FirecREST's default where a gateway does not tell its own limit."""

_WINDOWS = (("1h", 3000), ("8h", 28_000), ("24h", 85_000), ("3d", 258_000))
_WIDEST_WINDOW = "7d"


def time_window(age: float) -> str:
    """Return the narrowest of the API's time windows that reaches `age` seconds back, with a margin."""
    return next((name for name, seconds in _WINDOWS if age <= seconds), _WIDEST_WINDOW)


class GatewayV2:
    """One system behind one FirecREST v2 gateway.

    Args:
        settings: where it is and who we are.
        wait_for_job: follows a transfer job to its end.
        patience: how long failures are ridden out.
        transport: what carries the requests, if not the network.
    """

    def __init__(
        self,
        settings: Settings,
        wait_for_job: WaitForJob,
        patience: Patience,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._system = settings.system
        self._where = f"{settings.system!r} at {str(settings.url).rstrip('/')}"
        self._settings = settings
        self._wait_for_job = wait_for_job
        self._patience = patience
        self._wire = Wire()
        trusted = ssl.create_default_context(cafile=str(settings.ca_bundle)) if settings.ca_bundle else True
        self._http = CountingClient(self._wire, verify=trusted, transport=transport)
        self._tokens = TokenSource(settings, self._http)
        self._client = Client(str(settings.url), self._tokens, self._http)
        self._client.timeout = httpx.Timeout(30.0, connect=10.0)
        self._slots = asyncio.Semaphore(settings.max_in_flight)
        self._single_slots = asyncio.Semaphore(2)
        self._answered = False
        self._max_direct = DEFAULT_DIRECT_UPLOAD

    # --- how a request is made ----------------------------------------------------------------------

    async def _call(self, operation: Operation, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Make a request, repeat it as the policy says, translate what goes wrong."""
        begun = time.monotonic()
        attempt = uncertain = 0
        renewed = False
        while True:
            asked_at = time.monotonic()
            try:
                async with self._slots:
                    result = await asyncio.wait_for(ask(), operation.timeout)
            except asyncio.TimeoutError:
                error: errors.GatewayError = errors.UncertainError(
                    f"{operation.name} on {self._where} failed: no answer within {operation.timeout:.0f} s"
                )
            except Exception as problem:  # noqa: BLE001 - translated and raised or repeated below
                error = translate.error_of(operation, problem, self._where)
                # A proxy answers 502 or 503 for a gateway that isn't there.
                if (
                    error.status is not None
                    and error.status < 500
                    and not isinstance(error, errors.AuthError)
                ):
                    self._answered = True
            else:
                self._answered = True
                return result
            if isinstance(error, errors.AuthError) and error.status == 401 and not renewed and self._answered:
                renewed = True
                self._tokens.discard(asked_at)
                continue
            uncertain = uncertain + 1 if isinstance(error, errors.UncertainError) else 0
            attempt += 1
            limit = self._patience.outage if self._answered else self._patience.first_contact
            pause = self._patience.pause_before(attempt, error.retry_after)
            if not policy.may_repeat(operation, error, uncertain) or time.monotonic() + pause - begun > limit:
                raise error
            await asyncio.sleep(pause)

    # --- status -------------------------------------------------------------------------------------

    async def connect(self) -> SystemInfo:
        """Ask the gateway for the system; see the protocol."""

        async def ask() -> Sequence[translate.System]:
            return translate.systems_of(await self._client.get_json("/status/systems"))

        url = str(self._settings.url).rstrip("/")
        try:
            systems = await self._call(policy.CONNECT, ask)
        except errors.NotFoundError as error:
            raise errors.NotFoundError(
                f"there is no FirecREST v2 at {url} (HTTP {error.status}); check FIRECREST_URL",
                status=error.status,
            ) from None
        for system in systems:
            if system.name == self._system:
                limit = system.data_operation and system.data_operation.max_ops_file_size
                self._max_direct = limit or DEFAULT_DIRECT_UPLOAD
                return SystemInfo(system.name, system.scheduler_version, self._max_direct)
        known = ", ".join(sorted(system.name for system in systems)) or "none"
        raise errors.NotFoundError(
            f"the gateway {url} has no system {self._system!r}; it has: {known}; check FIRECREST_SYSTEM"
        )

    async def cluster(self) -> Cluster:
        """Ask for nodes, partitions and reservations at the same time."""
        return Cluster(
            *await asyncio.gather(
                self._status("nodes", cluster.nodes_of),
                self._status("partitions", cluster.partitions_of),
                self._status("reservations", cluster.reservations_of),
            )
        )

    async def accounts(self) -> list[AccountInfo]:
        """Ask for the user's accounts."""
        return await self._status("userinfo", cluster.accounts_of, policy.USER)

    async def _status(
        self, what: str, translation: Callable[[object], Result], operation: Operation = policy.STATUS
    ) -> Result:
        async def ask() -> Result:
            return translation(await self._client.get_json(f"/status/{self._system}/{what}"))

        return await self._call(operation, ask)

    # --- files --------------------------------------------------------------------------------------

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
            return translate.files_of(await self._client.get_json(self._fs("ops/ls"), params))

        return await self._call(policy.LIST_FILES, ask)

    async def upload(self, local: Path, remote: str) -> None:
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
        body = self._with_account(
            {"path": remote, "transfer_directives": {"file_size": size, "transfer_method": "s3"}}
        )

        async def ask() -> tuple[translate.Transfer, Mapping[str, object]]:
            opened = await self._client.post_json(self._fs("transfer/upload"), body, 201)
            return translate.transfer_of(opened), opened

        transfer, opened = await self._call(policy.TRANSFER, ask)
        # 50 kB/s is slower than any line over which it would make sense.
        patient = Operation(policy.UPLOAD.name, timeout=policy.UPLOAD.timeout + size / 50_000)
        await self._call(patient, lambda: self._client.send_parts(opened, local))
        await self._finish_transfer(transfer, f"uploading {size} bytes")

    async def download(self, remote: str, local: Path, *, size_hint: int) -> None:
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
                await asyncio.to_thread(local.write_bytes, content)
                return
        body = self._with_account({"source_path": remote, "transfer_directives": {"transferMethod": "s3"}})
        transfer = await self._open_transfer("transfer/download", body)
        await self._finish_transfer(transfer, "downloading a large file")
        patient = Operation(policy.DOWNLOAD.name, timeout=policy.DOWNLOAD.timeout + size_hint / 50_000)

        async def ask() -> None:
            await self._client.fetch_object(transfer.download_url, local)

        await self._call(patient, ask)

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
        await self._finish_transfer(await self._open_transfer(endpoint, self._with_account(body)), what)

    async def _open_transfer(self, endpoint: str, body: dict[str, object]) -> translate.Transfer:
        async def ask() -> translate.Transfer:
            return translate.transfer_of(await self._client.post_json(self._fs(endpoint), body, 201))

        return await self._call(policy.TRANSFER, ask)

    def _with_account(self, body: dict[str, object]) -> dict[str, object]:
        account = self._settings.account
        return {**body, "account": account} if account else body

    async def _finish_transfer(self, transfer: translate.Transfer, what: str) -> None:
        job = transfer.job.job_id
        log = (transfer.job.logs and transfer.job.logs.error) or "not told"
        for part in await self._wait_for_job(job):
            if part.state != "COMPLETED" or part.exit_code:
                raise errors.RejectedError(
                    f"{what} on {self._where} failed: transfer job {job} ended as {part.state} with "
                    f"exit code {part.exit_code}; its log on the system: {log}"
                )

    async def remove(self, path: str) -> None:
        """Remove a file or a tree."""
        try:
            await self._call(
                policy.REMOVE, lambda: self._client.delete(self._fs("ops/rm"), {"path": path}, 204)
            )
        except errors.NotFoundError:
            return
        except errors.OperationTimeoutError:

            async def ask() -> translate.Transfer:
                answer = await self._client.delete(self._fs("transfer/rm"), {"path": path}, 200)
                return translate.transfer_of(answer)

            transfer = await self._call(policy.TRANSFER, ask)
            await self._finish_transfer(transfer, "removing a large directory")

    # --- jobs ---------------------------------------------------------------------------------------

    def _jobs(self, job_id: str = "") -> str:
        return f"/compute/{self._system}/jobs" + (f"/{job_id}" if job_id else "")

    async def submit(self, script: str, directory: str, account: str | None) -> str:
        """Submit a script that lies on the system."""
        job: dict[str, object] = {"working_directory": directory, "scriptPath": script}
        if account:
            job["account"] = account

        async def ask() -> str:
            try:
                return translate.job_id_of(await self._client.post_json(self._jobs(), {"job": job}, 201))
            except ValueError:
                # Accepted, but not in a way that can be read: the job may be there.
                raise errors.UncertainError(
                    f"{policy.SUBMIT.name} on {self._where} failed: no job id in the answer"
                ) from None

        return await self._call(policy.SUBMIT, ask)

    async def jobs(self, seen_since: float) -> list[JobPart]:
        """List the user's jobs."""
        params = {"time_window": time_window(time.time() - seen_since)}

        async def ask() -> list[JobPart]:
            return translate.jobs_of(await self._client.get_json(self._jobs(), params))

        return await self._call(policy.LIST_JOBS, ask)

    async def job(self, job_id: str) -> list[JobPart]:
        """Ask for one job."""

        async def ask() -> list[JobPart]:
            return translate.jobs_of(await self._client.get_json(self._jobs(job_id)))

        try:
            async with self._single_slots:
                return await self._call(policy.LIST_JOBS, ask)
        except errors.NotFoundError:
            return []

    async def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        try:
            await self._call(policy.CANCEL, lambda: self._client.delete(self._jobs(job_id), None, 204))
        except errors.RejectedError as error:
            if not re.search(policy.JOB_HAS_ENDED, str(error)):
                raise

    # --- the end ------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def stats(self) -> dict[str, int]:
        """Count what went over the wire."""
        return {
            "requests": self._wire.requests,
            "bytes_sent": self._wire.bytes_sent,
            "bytes_received": self._wire.bytes_received,
            "most_in_flight": self._wire.most_in_flight,
        }
