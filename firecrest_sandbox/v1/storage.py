"""The service `storage`, external part: transfers to and from clients through the object storage."""

import asyncio
import secrets
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from firecrest_sandbox.errors import CommandError, GatewayError
from firecrest_sandbox.filesystem.operations import Operations
from firecrest_sandbox.object_storage import PUBLIC_PREFIX
from firecrest_sandbox.object_storage.errors import StorageError
from firecrest_sandbox.state import ServerState, server_of
from firecrest_sandbox.v1.access import NO_MACHINE, Machine, authenticated, inputs_of
from firecrest_sandbox.v1.errors import RefusedError, message_of, probe_headers
from firecrest_sandbox.v1.tasklist import Task, TaskState
from firecrest_sandbox.v1.work import new_task, start_steps, task_response

STORAGE_MACHINE = Machine(NO_MACHINE, "Failed operation")
_WAITING = "Waiting for Presigned URL to upload file to staging area (Amazon S3 - Signature v4)"
_DELETED = "File was deleted from staging area. Start a new upload process"
_UNREADABLE = "curl: (26) Failed to open/read local data from file/application"

router = APIRouter(prefix="/storage/xfer-external", tags=["storage"], dependencies=[Depends(authenticated)])


@dataclass(frozen=True)
class _Upload:
    """An upload: a file from a client to the system."""

    server: ServerState
    task: Task
    source: str
    """The file's name at the client."""
    target: str

    @property
    def key(self) -> str:
        return f"{self.task.id}/{PurePosixPath(self.source).name}"

    @property
    def object_path(self) -> str:
        return f"{self.server.user.name}/{self.key}"

    def data_at(self, state: TaskState, message: Any) -> dict[str, Any]:
        """Return the task's data before the upload, and after a failure."""
        return {
            **self.summary,
            "hash_id": self.task.id,
            "msg": message,
            "status": state.number,
            "trace_id": "",
            "user": self.task.user,
        }

    @property
    def summary(self) -> dict[str, str]:
        """The task's data after the upload."""
        return {
            "source": PurePosixPath(self.source).name,
            "system_addr": f"{self.server.config.host}:22",
            "system_name": self.server.config.system,
            "target": self.target,
        }

    def form(self) -> dict[str, Any]:
        """Return the form for the upload, and a command that sends it."""
        bucket = self.server.user.name
        url = f"{self.server.url}{PUBLIC_PREFIX}/{bucket}"
        fields = self.server.store.presigner.presign_form(bucket, self.key)
        filled = " ".join(f"-F '{name}={value}'" for name, value in fields.items())
        prefix = self.server.url + PUBLIC_PREFIX
        download_url = self.server.store.presigner.presign("GET", prefix, self.object_path)
        return {
            # v1 does not quote the file's name, so a blank breaks the command.
            "command": f"curl -f --show-error -s -i -X POST {url} {filled} -F file=@{self.source}",
            "parameters": {
                "method": "POST",
                "url": url,
                "data": fields,
                "files": self.source,
                "json": {},
                "params": {},
                "headers": {},
            },
            "download_url": download_url,
            "action": f"curl -f -s -G -o {shlex.quote(self.target)} -- '{download_url}'",
            # In the real gateway, an encrypted certificate and its path.
            "cert": [secrets.token_urlsafe(32), "/tmp/dummy"],  # noqa: S108  no file is created
        }

    async def run(self) -> None:
        """Provide the form, wait for the object, and write the file; a failed write is retried."""
        task, store = self.task, self.server.store
        task.update(TaskState.URL_ASKED, self.data_at(TaskState.URL_ASKED, _WAITING))
        form = self.form()
        task.update(TaskState.URL_RECEIVED, self.data_at(TaskState.URL_RECEIVED, form))
        while True:
            await asyncio.sleep(self.server.config.transfer_poll)
            try:
                content, _ = store.find(self.object_path)
            except StorageError:
                if task.state is TaskState.FETCH_FAILED:
                    task.update(TaskState.ERROR, _DELETED)
                    return
                continue
            if task.state is TaskState.URL_RECEIVED:
                confirmed = TaskState.UPLOAD_CONFIRMED
                task.update(confirmed, self.data_at(TaskState.URL_RECEIVED, form))
            task.update(TaskState.FETCH_BEGUN, self.summary)
            if await asyncio.to_thread(self._write, content):
                task.update(TaskState.FETCH_ENDED, self.summary)
                store.remove(self.object_path)
                return
            task.update(TaskState.FETCH_FAILED, self.data_at(TaskState.FETCH_FAILED, form))

    def _write(self, content: Path) -> bool:
        try:
            # Links may have been created since the request.
            target = Operations(self.server).path(self.target)
            shutil.copyfile(content, target)
        except (OSError, GatewayError):
            return False
        return True


@router.post("/upload")
async def post_upload(request: Request) -> JSONResponse:
    """Start an upload. Its task contains the form, and then the progress."""
    server = STORAGE_MACHINE.check(request)
    failed = "Failed to upload file"
    async with inputs_of(request) as inputs:
        path = inputs.text("targetPath", failed)
        source = inputs.text("sourcePath", failed)
    if not PurePosixPath(source).name:
        # An object without a name could never be written to the system, and its task would not end.
        raise RefusedError.because(failed, "'sourcePath' has no file name")
    target = await _target(server, path, PurePosixPath(source).name)
    task = new_task(request, "storage")
    start_steps(request, _Upload(server, task, source, target).run)
    return task_response(task, status=201)


async def _target(server: ServerState, path: str, name: str) -> str:
    """Return the path of an uploaded file: in the target, if that is a directory, or the target itself."""
    operations = Operations(server)
    parent = path.rpartition("/")[0]
    target = f"{path}/{name}" if await _is_writable(operations, path) else path
    try:
        if target == path:
            await _try_directory(operations, parent)
        # An existing target may be a link that leads out.
        operations.path(target)
    except GatewayError as error:
        headers = probe_headers(error, parent)
        raise RefusedError.because(
            "Failed to upload file", "'targetPath' directory not allowed", headers
        ) from None
    return target


async def _is_writable(operations: Operations, directory: str) -> bool:
    try:
        await _try_directory(operations, directory)
    except GatewayError:
        return False
    return True


async def _try_directory(operations: Operations, directory: str) -> None:
    """Check that a directory is writable, as v1 does: create a file and remove it."""
    probe = operations.path(f"{operations.path(directory)}/.firecrest.{secrets.token_hex(16)}")
    await operations.run("touch", "--", probe)
    await operations.run("rm", "--", probe)


@router.post("/download")
async def post_download(request: Request) -> JSONResponse:
    """Start a download: copy a file to the object storage. Its task contains the URL."""
    server = STORAGE_MACHINE.check(request)
    async with inputs_of(request) as inputs:
        path = inputs.text("sourcePath", "Failed to download file")
    operations = Operations(server)
    try:
        await operations.run("head", "-c", "1", "--", operations.path(path))
    except GatewayError as error:
        raise RefusedError(400, {"description": "sourcePath error"}, probe_headers(error, path)) from None
    task = new_task(request, "storage")
    start_steps(request, lambda: _store(server, task, path))
    return task_response(task, status=201)


async def _store(server: ServerState, task: Task, path: str) -> None:
    data = {"source": path, "system_name": server.config.system}
    task.update(TaskState.STORE_BEGUN, data)
    name = PurePosixPath(path).name
    object_path = f"{server.user.name}/{task.id}/{name}"
    try:
        await asyncio.to_thread(_put, server, object_path, path)
    except GatewayError as error:
        message = f"Upload to Staging area has failed. Object: {name}. {message_of(error)}"
        task.update(TaskState.STORE_FAILED, {**data, "error": message})
        return
    url = server.store.presigner.presign("GET", server.url + PUBLIC_PREFIX, object_path)
    task.update(TaskState.STORE_ENDED, {**data, "url": url})


def _put(server: ServerState, object_path: str, path: str) -> None:
    if " " in path:
        # The real gateway's curl takes this for two arguments.
        raise CommandError(26, _UNREADABLE)
    try:
        with Path(Operations(server).path(path)).open("rb") as file:
            server.store.put(object_path, file)
    except OSError:
        raise CommandError(26, _UNREADABLE) from None


@router.post("/invalidate")
async def post_invalidate(request: Request) -> JSONResponse:
    """Invalidate a task. Its URL remains valid, as in the real gateway with S3 v4."""
    task_id = request.headers.get("X-Task-Id")
    if task_id is None:
        raise RefusedError(400, {"error": "Header X-Task-Id missing"})
    if not task_id.isalnum():
        raise RefusedError(400, {"error": "Header X-Task-Id is not alphanumeric"})
    task = server_of(request).tasks.get(task_id)
    if task is None or task.user != request.state.user:
        raise RefusedError(400, {"error": "Invalid X-Task-Id"})
    task.withdrawn = True
    return JSONResponse({"success": "URL invalidated successfully"}, 201)
