"""Submission of jobs, and their data, as in v1."""

from __future__ import annotations

import asyncio
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request

from firecrest_sandbox.errors import GatewayError, SchedulerError
from firecrest_sandbox.fault_injection.faults import FaultKind
from firecrest_sandbox.filesystem.operations import Operations
from firecrest_sandbox.records import JobDescription
from firecrest_sandbox.runners.base import ResourceKind
from firecrest_sandbox.state import ServerState
from firecrest_sandbox.v1.access import task_fault_of
from firecrest_sandbox.v1.errors import joined
from firecrest_sandbox.v1.tasklist import Task
from firecrest_sandbox.v1.work import TaskFailedError, new_task, start

WARNING = "sbatch: Warning: can't run 1 processes on 2 nodes, setting nnodes to 1"
"""Warning of sbatch for an accepted job, whose submission v1 reports as failed (recorded)."""
_PENDING = ("CONFIGURING", "PENDING")
_SHOWN_BYTES = 1000
_ATTEMPTS = 2
_NOT_IN_COMMANDS = re.compile(r"[|<;\"\\()\x00-\x1f`]")
_ACCOUNT_NAMES = {
    "jobid": "JobID",
    "partition": "Partition",
    "name": "JobName",
    "user": "User",
    "state": "State",
    "start_time": "Start",
    "time": "CPUTime",
    "cpu_time": "CPUTime",
    "elapsed_time": "Elapsed",
    "termination_time": "End",
    "time_left": "End",
    "nodes": "NNodes",
    "nodelist": "NodeList",
    "exit_code": "ExitCode",
}
_QUEUE_NAMES = {
    "jobid": "JobID",
    "partition": "Partition",
    "name": "Name",
    "user": "User",
    "state": "State",
    # v1 swaps these two.
    "start_time": "TimeUsed",
    "time": "StartTime",
    "time_left": "TimeLeft",
    "nodes": "NumNodes",
    "nodelist": "ReasonList",
}

Row = TypeVar("Row")


def described(path: str, *, account: str | None, variables: Mapping[str, object]) -> JobDescription:
    """Return the description of a job whose script is on the system, to run in the script's directory.

    Raises:
        TaskFailedError: a variable has a character that v1 refuses in commands.
    """
    env = {name: str(value) for name, value in variables.items()}
    if _NOT_IN_COMMANDS.search("".join(f"{name}={value}" for name, value in env.items())):
        raise TaskFailedError("Invalid command")
    return JobDescription(
        account=account, working_directory=str(Path(path).parent), script_path=path, env=env
    )


def variables_of(text: str | None) -> dict[str, object]:
    """Return a job's variables from the JSON that the client sent.

    Raises:
        ValueError: the text is not a JSON object.
    """
    if not text:
        return {}
    variables = json.loads(text)
    if not isinstance(variables, dict):
        raise ValueError(f"not an object: {text}")  # noqa: TRY004  the caller handles all invalid texts alike
    return variables


def submission_of(
    request: Request,
    server: ServerState,
    name: str,
    content: bytes,
    *,
    account: str | None = None,
    variables: Mapping[str, object] | None = None,
) -> Task:
    """Write a script into a new directory, submit it there, and return the task."""
    task = new_task(request, "compute")
    warned = task_fault_of(request) == FaultKind.WARN

    async def submit() -> dict[str, Any]:
        path = await _write_script(server, task.id, name, content)
        description = described(path, account=account, variables=variables or {})
        return await submitted(server, description, warned=warned)

    start(request, task, submit)
    return task


async def _write_script(server: ServerState, task_id: str, name: str, content: bytes) -> str:
    operations = Operations(server)
    directory = f"{server.home}/firecrest/{task_id}"
    await operations.make_directory(directory, parents=True)
    await operations.write(directory, name, io.BytesIO(content))
    return f"{directory}/{name}"


async def submitted(server: ServerState, description: JobDescription, *, warned: bool) -> dict[str, Any]:
    """Submit a job and return the data of its task.

    Raises:
        SchedulerError: sbatch refuses the job.
        TaskFailedError: sbatch accepts the job with a warning, which v1 reports as a failure.
    """
    receipt = await server.runner.submit(description)
    warning = receipt.warning or (WARNING if warned else "")
    if warning:
        raise TaskFailedError(joined(warning))
    job = {"result": "Job submitted", "jobid": receipt.job_id}
    return job | await files_of(server, receipt.job_id)


async def files_of(server: ServerState, job_id: str, *, output: bool = False) -> dict[str, Any]:
    """Return the paths of a job's script and output, and optionally the end of its output.

    v1 calls scontrol twice, with a pause, before it gives up.
    """
    for attempt in range(_ATTEMPTS):
        try:
            [shown_job, *_] = await server.runner.show(ResourceKind.JOB, job_id)
            break
        except SchedulerError as error:
            if attempt == _ATTEMPTS - 1:
                return {
                    "job_file_out": "Not available",
                    "job_file_err": "Not available",
                    "job_info_extra": joined(error.stderr),
                }
        await asyncio.sleep(server.config.operation_timeout)
    with_output = output and shown_job.get("JobState") not in _PENDING
    return {
        "job_file": _as_v1_parses(shown_job.get("Command", "command-not-found")),
        "job_file_out": _as_v1_parses(shown_job.get("StdOut", "stdout-file-not-found")),
        "job_file_err": _as_v1_parses(shown_job.get("StdErr", "stderr-file-not-found")),
        "job_info_extra": "Job info returned successfully",
        "job_data_out": await _end_of(server, shown_job.get("StdOut", "")) if with_output else "",
        "job_data_err": await _end_of(server, shown_job.get("StdErr", "")) if with_output else "",
    }


def _as_v1_parses(value: str) -> str:
    # v1 splits scontrol's line at blanks and at every `=`.
    return value.split(" ", maxsplit=1)[0].split("=", maxsplit=1)[0]


async def _end_of(server: ServerState, path: str) -> str:
    operations = Operations(server)
    try:
        finished = await operations.run("tail", "-c", str(_SHOWN_BYTES), "--", operations.path(path))
    except GatewayError:
        return ""
    return finished.text.removesuffix("\n")


def accounted(row: Mapping[str, str]) -> dict[str, str]:
    """Return a row of sacct with v1's names."""
    return {name: row[column] for name, column in _ACCOUNT_NAMES.items()}


def queued(row: Mapping[str, str]) -> dict[str, str]:
    """Return a row of squeue with v1's names."""
    return {name: row[column] for name, column in _QUEUE_NAMES.items()}


def page_of(rows: Sequence[Row], size: int | None, number: int | None) -> Sequence[Row]:
    """Return one page; pages count from 0.

    Raises:
        TaskFailedError: the page does not exist.
    """
    if size is None or number is None:
        return rows
    pages = max(1, math.ceil(len(rows) / max(size, 1)))
    if number < 0:
        raise TaskFailedError(f"pageNumber ({number}) cannot be a negative number")
    if number >= pages:
        raise TaskFailedError(f"pageNumber ({number}) is greater than total pages ({pages})")
    return rows[number * size : (number + 1) * size]
