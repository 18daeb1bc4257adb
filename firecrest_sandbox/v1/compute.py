"""The service `compute`: jobs, and the description of the system, all through tasks."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from firecrest_sandbox.errors import GatewayError
from firecrest_sandbox.fault_injection.faults import FaultKind
from firecrest_sandbox.filesystem.operations import Operations
from firecrest_sandbox.runners.base import ResourceKind
from firecrest_sandbox.state import ServerState
from firecrest_sandbox.v1.access import (
    NO_MACHINE,
    Inputs,
    Machine,
    authenticated,
    checked,
    inputs_of,
    task_fault_of,
)
from firecrest_sandbox.v1.errors import RefusedError, probe_headers
from firecrest_sandbox.v1.jobs import (
    accounted,
    described,
    files_of,
    page_of,
    queued,
    submission_of,
    submitted,
    variables_of,
)
from firecrest_sandbox.v1.work import TaskFailedError, new_task, start, task_response

_INTERNAL_URL = "http://127.0.0.1:5003"
"""Data of a queued submission, due to an oversight in FirecREST."""
_JOB_ID = re.compile(r"\d+(?:\+\d+|_\d+|_\[\d+-\d+\])?")
_DEFAULT_PAGE_SIZE = 25
_MAX_JOBS_TEXT = 2900
"""A longer list of ids exceeds the request line of the certificator (measured with 340 ids of 8 digits)."""
_ATTRIBUTES: Mapping[ResourceKind, Mapping[str, str | None]] = {
    ResourceKind.NODES: {"NodeName": None, "ActiveFeatures": ",", "Partitions": ",", "State": "+"},
    ResourceKind.PARTITIONS: dict.fromkeys(("PartitionName", "State", "TotalCPUs", "TotalNodes", "Default")),
    ResourceKind.RESERVATIONS: {
        "ReservationName": None,
        "State": None,
        "Nodes": None,
        "StartTime": None,
        "EndTime": None,
        "Features": "&",
    },
}

router = APIRouter(prefix="/compute", tags=["compute"], dependencies=[Depends(authenticated)])


def _machine(request: Request, description: str, unnamed: Mapping[str, str] = NO_MACHINE) -> ServerState:
    return Machine(unnamed, description).check(request)


def _start_task(
    request: Request, work: Callable[[], Awaitable[Any]], *, status: int = 200, data: str | None = None
) -> JSONResponse:
    task = new_task(request, "compute")
    task.data = data or task.data
    start(request, task, work)
    return task_response(task, status=status)


@router.post("/jobs/path")
async def submit_path(request: Request) -> JSONResponse:
    """Submit a script on the system, in its own directory."""
    failed = "Failed to submit job"
    server = _machine(request, failed, {"description": failed, "error": "No machine name given"})
    async with inputs_of(request) as inputs:
        path = inputs.text("targetPath", failed)
        account = inputs.optional("account", "Invalid account")
        text = inputs.values.get("env")
    await _probe(server, path, failed)
    try:
        variables = variables_of(text)
    except ValueError:
        raise RefusedError(
            404, {"description": failed, "error": "Invalid JSON environment provided"}
        ) from None
    warned = task_fault_of(request) == FaultKind.WARN

    async def submit() -> dict[str, Any]:
        return await submitted(server, described(path, account=account, variables=variables), warned=warned)

    return _start_task(request, submit, status=201, data=_INTERNAL_URL)


async def _probe(server: ServerState, path: str, description: str) -> None:
    operations = Operations(server)
    try:
        await operations.run("head", "-c", "1", "--", operations.path(path))
    except GatewayError as error:
        raise RefusedError(400, {"description": description}, probe_headers(error, path)) from None


@router.post("/jobs/upload")
async def submit_upload(request: Request) -> JSONResponse:
    """Submit a script from the request, in a new directory."""
    failed = "Failed to submit job file"
    server = _machine(request, failed)
    async with inputs_of(request) as inputs:
        account = inputs.optional("account", "Invalid account")
        name, content = await _script(inputs, failed)
        text = inputs.values.get("env")
    return _submit_content(request, server, name, content, account=account, env=text)


async def _script(inputs: Inputs, description: str) -> tuple[str, bytes]:
    file = inputs.files.get("file")
    if file is None:
        raise RefusedError.because(description, "No batch file part")
    if not file.filename:
        raise RefusedError.because(description, "No batch file selected")
    content = await file.read()
    if not content:
        raise RefusedError.because(description, "Batch file is empty")
    return PurePosixPath(file.filename).name, content


def _submit_content(
    request: Request, server: ServerState, name: str, content: bytes, *, account: str | None, env: str | None
) -> JSONResponse:
    try:
        variables = variables_of(env)
    except ValueError:
        body = {"description": "Failed to submit job", "error": f"Invalid JSON in 'env' variable ({env})"}
        raise RefusedError(404, body) from None
    task = submission_of(request, server, name, content, account=account, variables=variables)
    return task_response(task, status=201)


@router.get("/acct")
async def get_accounting(request: Request) -> JSONResponse:
    """List jobs from accounting: the given ones, or all of today."""
    failed = "Failed to retrieve account information"
    server = _machine(request, failed)
    async with inputs_of(request) as inputs:
        jobs = checked(inputs.values["jobs"], "'jobs'", failed) if inputs.values.get("jobs") else ""
        size, number = _page(inputs)
        since = _day(inputs.values.get("starttime", ""))

    async def account() -> Any:
        if len(jobs) > _MAX_JOBS_TEXT:
            raise TaskFailedError("Finished with errors")
        rows = await server.runner.account(jobs.split(",") if jobs else [], since=since)
        page = page_of([accounted(row) for row in rows], size, number)
        # Without rows, v1 returns an object instead of a list.
        return page if rows else {}

    return _start_task(request, account)


def _page(inputs: Inputs) -> tuple[int | None, int | None]:
    size, number = inputs.values.get("pageSize"), inputs.values.get("pageNumber")
    if size is None and number is None:
        return None, None
    return _number(size, _DEFAULT_PAGE_SIZE), _number(number, 0)


def _number(text: str | None, default: int) -> int:
    try:
        return int(text or "")
    except ValueError:
        return default


def _day(text: str) -> str:
    """Return a first day that v1 accepts. Of the formats that it documents, only this one works."""
    try:
        return date.fromisoformat(text).isoformat() if len(text) == len("2026-01-31") else ""
    except ValueError:
        return ""


@router.get("/jobs")
async def get_jobs(request: Request) -> JSONResponse:
    """List the user's unfinished jobs, with the end of their output."""
    failed = "Failed to retrieve job information"
    server = _machine(request, "Failed to retrieve jobs information")
    async with inputs_of(request) as inputs:
        jobs = inputs.optional("jobs", failed)
        size, number = _page(inputs)
    ids = [] if jobs is None else jobs.split(",")
    for job_id in ids:
        if not job_id:
            raise RefusedError.because(failed, "Jobs list wrong format")
        _check_id(job_id, failed)

    async def list_jobs() -> dict[str, Any]:
        rows = page_of(await server.runner.queue(ids), size, number)
        shown = [queued(row) for row in rows]
        # Sequentially, as in v1.
        return {
            str(index): job | await files_of(server, job["jobid"], output=True)
            for index, job in enumerate(shown)
        }

    return _start_task(request, list_jobs)


def _check_id(job_id: str, description: str) -> None:
    if _JOB_ID.fullmatch(job_id) is None:
        raise RefusedError.because(description, f"{job_id} is not a valid job ID")


@router.get("/jobs/{job_id}")
async def get_job(request: Request, job_id: str) -> JSONResponse:
    """Return a task that never ends: in 1.16.6 its thread fails immediately."""
    failed = "Failed to retrieve job information"
    _machine(request, failed)
    _check_id(job_id, failed)
    return task_response(new_task(request, "compute"), status=200)


@router.delete("/jobs/{job_id}")
async def delete_job(request: Request, job_id: str) -> JSONResponse:
    """Cancel a job."""
    failed = "Failed to delete job"
    server = _machine(request, failed)
    checked(job_id, "'jobid'", failed)

    async def cancel() -> str:
        await server.runner.cancel(job_id)
        return f"scancel: Terminating job {job_id}"

    return _start_task(request, cancel)


@router.get("/nodes")
async def get_nodes(request: Request) -> JSONResponse:
    """Describe the nodes, all or the given ones."""
    return await _described(request, ResourceKind.NODES, "node")


@router.get("/nodes/{name}")
async def get_node(request: Request, name: str) -> JSONResponse:
    """Describe one node."""
    server = _machine(request, "Failed to retrieve account information")
    checked(name, f"nodeName '{name}'", "Failed to retrieve node")
    return _start_task(request, lambda: _attributes(server, ResourceKind.NODES, [name]))


@router.get("/partitions")
async def get_partitions(request: Request) -> JSONResponse:
    """Describe the partitions, all or the given ones; unknown ones are omitted."""
    return await _described(request, ResourceKind.PARTITIONS, "partition")


@router.get("/reservations")
async def get_reservations(request: Request) -> JSONResponse:
    """Describe the reservations, all or the given ones; unknown ones are omitted."""
    return await _described(request, ResourceKind.RESERVATIONS, "reservations")


async def _described(request: Request, kind: ResourceKind, word: str) -> JSONResponse:
    server = _machine(request, "Failed to retrieve account information")
    async with inputs_of(request) as inputs:
        names = inputs.values.get(kind.value)
    if names is not None:
        checked(names, f"{word} '{names}'", f"Failed to retrieve {kind.value} information")
    listed = None if names is None else names.split(",")
    return _start_task(request, lambda: _attributes(server, kind, listed))


async def _attributes(
    server: ServerState, kind: ResourceKind, names: list[str] | None
) -> list[dict[str, Any]]:
    if kind is ResourceKind.NODES and names:
        # An unknown node is an error, unlike other unknown resources.
        shown = [each for name in names for each in await server.runner.show(kind, name)]
    else:
        shown = await server.runner.show(kind)
    separators = _ATTRIBUTES[kind]
    resources = [
        {
            name: each[name] if separator is None else each[name].split(separator)
            for name, separator in separators.items()
        }
        for each in shown
    ]
    key = next(iter(separators))
    return [each for each in resources if names is None or kind is ResourceKind.NODES or each[key] in names]
