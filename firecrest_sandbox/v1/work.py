"""Answers a request with a task, and does what was asked for behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from firecrest_sandbox.errors import GatewayError, SchedulerError
from firecrest_sandbox.fault_injection.faults import FaultKind
from firecrest_sandbox.state import server_of
from firecrest_sandbox.v1.access import task_fault_of
from firecrest_sandbox.v1.errors import complaint, joined
from firecrest_sandbox.v1.tasklist import Task, TaskState

_STALLED = (FaultKind.STALL, FaultKind.STALL_AFTER)


class TaskFailedError(Exception):
    """A task ends with 400; the message is its data."""


def new_task(request: Request, service: str) -> Task:
    """Return a new task of the request's user."""
    server = server_of(request)
    stalled = task_fault_of(request) in _STALLED
    return server.tasks.add(Task(request.state.user, service, system=server.config.system, stalled=stalled))


def task_response(task: Task, *, status: int, url: bool = True) -> JSONResponse:
    """Return the answer that tells of a task."""
    body = {"success": "Task created", "task_id": task.id}
    return JSONResponse(body | ({"task_url": f"/tasks/{task.id}"} if url else {}), status)


def start(request: Request, task: Task, work: Callable[[], Awaitable[Any]]) -> None:
    """Do the work of a task of the service `compute`: its result ends the task."""

    async def carry_out() -> None:
        try:
            task.update(TaskState.SUCCESS, await work())
        except TaskFailedError as failure:
            task.update(TaskState.ERROR, str(failure))
        except SchedulerError as refused:
            task.update(TaskState.ERROR, joined(refused.stderr))
        except GatewayError as refused:
            task.update(TaskState.ERROR, complaint(refused))

    start_steps(request, carry_out)


def start_steps(request: Request, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do work that updates its task itself; a fault may keep it from being done."""
    if task_fault_of(request) != FaultKind.STALL:
        server_of(request).tasks.start(work())
