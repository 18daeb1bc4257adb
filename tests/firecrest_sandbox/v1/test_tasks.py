"""Tasks: their reported states, and their work."""

from __future__ import annotations

import asyncio

import pytest

from firecrest_sandbox.v1.tasklist import Task, TaskList, TaskState
from tests.firecrest_sandbox.v1.conftest import V1


def test_several_tasks_are_reported_at_once_and_unknown_ones_left_out(v1: V1) -> None:
    ids = [v1.get("/compute/partitions").json()["task_id"] for _ in range(2)]
    for task_id in ids:
        v1.reached(task_id)
    answer = v1.get("/tasks", tasks=",".join([*ids, "0" * 32]))
    assert set(answer.json()["tasks"]) == set(ids)
    assert set(ids) <= set(v1.get("/tasks").json()["tasks"])
    assert v1.get("/tasks/", tasks=ids[0]).json()["tasks"][ids[0]]["status"] == "200"


def test_a_task_by_its_path_has_its_url(v1: V1) -> None:
    answer = v1.get("/compute/partitions").json()
    v1.reached(answer["task_id"])
    assert v1.get(answer["task_url"]).json()["task"]["task_url"] == answer["task_url"]


def test_only_its_owner_sees_a_task(v1: V1) -> None:
    tasks = v1.sandbox.state.tasks
    task = tasks.add(Task("somebody-else", "compute", v1.sandbox.config.system))
    assert v1.get(f"/tasks/{task.id}").status_code == 403
    assert v1.get("/tasks", tasks=task.id).json() == {"tasks": {}}
    invalidated = v1.http.post("/storage/xfer-external/invalidate", headers={"X-Task-Id": task.id})
    assert invalidated.json() == {"error": "Invalid X-Task-Id"}


def test_a_stalled_task_gets_no_state() -> None:
    task = Task("me", "compute", "here", stalled=True)
    task.update(TaskState.SUCCESS, {"jobid": "1"})
    assert (task.state, task.data) == (TaskState.QUEUED, "Queued")


def test_work_that_breaks_leaves_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise ValueError("a bug")

    async def run() -> None:
        tasks = TaskList()
        tasks.start(broken())
        await asyncio.sleep(0)
        await tasks.stop()

    asyncio.run(run())
    assert "a bug" in caplog.text


def test_work_that_is_left_ends_with_the_sandbox() -> None:
    async def run() -> bool:
        ended = asyncio.Event()

        async def endless() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        tasks = TaskList()
        tasks.start(endless())
        await asyncio.sleep(0)
        await tasks.stop()
        return ended.is_set()

    assert asyncio.run(run())


def test_the_list_has_a_second_path_with_a_slash(v1: V1) -> None:
    task = v1.ended(v1.get("/compute/partitions"))
    assert v1.get("/tasks/", tasks=task["task_id"]).json()["tasks"][task["task_id"]]["status"] == "200"
