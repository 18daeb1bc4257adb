"""The service `tasks`: states of a user's tasks."""

from typing import Any

from fastapi import APIRouter, Depends, Request

from firecrest_sandbox.state import server_of
from firecrest_sandbox.v1.access import authenticated, inputs_of
from firecrest_sandbox.v1.errors import RefusedError

router = APIRouter(prefix="/tasks", tags=["tasks"], dependencies=[Depends(authenticated)])


@router.get("")
@router.get("/")
async def get_tasks(request: Request) -> dict[str, Any]:
    """Return the user's tasks, all or those with the ids in `tasks`; unknown ids are omitted."""
    async with inputs_of(request) as inputs:
        listed = inputs.optional("tasks", "Failed to retrieve tasks information")
    ids = None if listed is None else listed.split(",")
    tasks = server_of(request).tasks.of_user(request.state.user, ids)
    return {"tasks": {task.id: task.shown() for task in tasks}}


@router.get("/{task_id}")
async def get_task(request: Request, task_id: str) -> dict[str, Any]:
    """Return one task."""
    task = server_of(request).tasks.get(task_id)
    if task is None:
        raise RefusedError(404, {"error": f"Task {task_id} does not exist"})
    if task.user != request.state.user:
        raise RefusedError(403, {"description": "Operation not permitted. Invalid task owner."})
    return {"task": {**task.shown(withdrawn=task.withdrawn), "task_url": f"/tasks/{task.id}"}}
