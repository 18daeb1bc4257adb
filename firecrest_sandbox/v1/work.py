"""Requests that are answered with a task and executed in the background."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from firecrest_sandbox.errors import GatewayError, SchedulerError
from firecrest_sandbox.fault_injection.faults import FaultKind
from firecrest_sandbox.state import server_of
from firecrest_sandbox.v1.access import task_fault_of
from firecrest_sandbox.v1.errors import joined, message_of
from firecrest_sandbox.v1.tasklist import Task, TaskState

_STALLED = (FaultKind.STALL, FaultKind.STALL_AFTER)


class TaskFailedError(Exception):
    """Failure of a task: it ends with 400 and this message."""


def new_task(request: Request, service: str) -> Task:
    """Return a new task of the request's user."""
    server = server_of(request)
    stalled = task_fault_of(request) in _STALLED
    return server.tasks.add(Task(request.state.user, service, system=server.config.system, stalled=stalled))


def task_response(task: Task, *, status: int, url: bool = True) -> JSONResponse:
    """Return the answer with a task's id."""
    body = {"success": "Task created", "task_id": task.id}
    return JSONResponse(body | ({"task_url": f"/tasks/{task.id}"} if url else {}), status)


def start(request: Request, task: Task, work: Callable[[], Awaitable[Any]]) -> None:
    """Start the work of a task of the service `compute`; its result ends the task."""

    async def run() -> None:
        try:
            task.update(TaskState.SUCCESS, await work())
        except TaskFailedError as failure:
            task.update(TaskState.ERROR, str(failure))
        except SchedulerError as error:
            task.update(TaskState.ERROR, joined(error.stderr))
        except GatewayError as error:
            task.update(TaskState.ERROR, message_of(error))

    start_steps(request, run)


def start_steps(request: Request, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start work that updates its task itself, unless a fault suppresses it."""
    if task_fault_of(request) != FaultKind.STALL:
        server_of(request).tasks.start(work())
