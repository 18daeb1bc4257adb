"""FirecREST v1's tasks: waiting for the results of requests about jobs and large files.

The gateway answers such a request at once with the id of a task, which has to be polled. A query for one task
costs the gateway next to nothing; for a query of several, it searches all tasks of the user (0.02 s at 420
tasks, 1.4 s at 20,000, measured). It still replaces many requests, so tasks are polled together until that
proves slow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import anyio

from reframe_firecrest.gateway.http.error_translation import explained, shortened
from reframe_firecrest.gateway.http.operations import TASK, Operation
from reframe_firecrest.gateway.http.retrying_client import RetryingClient
from reframe_firecrest.gateway.v1 import schemas
from reframe_firecrest.gateway.v1.client import Client
from reframe_firecrest.gateway.v1.schemas import Task
from reframe_firecrest.model import errors
from reframe_firecrest.model.units import format_duration

DONE, FAILED = "200", "400"
GONE = ("300", "301", "302")
"""States of a task that was deleted, has expired or is no longer valid."""

FIRST_LOOK = 0.4
"""Seconds until a task is polled first; commands on the system take about as long."""

GROWTH = 1.4
"""Growth of the interval between two polls of a task."""

LONGEST_PAUSE = 3.0
"""Maximum seconds between two polls of a task."""

SLOW = 1.0
"""Seconds by which a query of several tasks may be slower than that of one."""

TOGETHER = 60
"""Tasks in one query; the length of a request line is limited."""


@dataclass(eq=False)
class _Waiting:
    task_id: str
    ends: Collection[str]
    begun: float
    answer: asyncio.Future[Task] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    pause: float = field(init=False)
    due: float = field(init=False)

    def __post_init__(self) -> None:
        self.pause = FIRST_LOOK
        self.due = self.begun + self.pause

    def polled(self, now: float) -> None:
        """Schedule the next poll."""
        self.pause = min(self.pause * GROWTH, LONGEST_PAUSE)
        self.due = now + self.pause


class Tasks:
    """Waits for tasks.

    Args:
        client: makes single requests.
        call: retries them and translates their errors.
    """

    def __init__(self, client: Client, call: RetryingClient) -> None:
        self._client = client
        self._call = call
        self._waiting: set[_Waiting] = set()
        self._polling: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._single = self._several = 0.0

    async def reach(
        self, operation: Operation, task_id: str, within: float, ends: Collection[str] = (DONE,)
    ) -> Task:
        """Wait until a task reaches one of the given states.

        Args:
            operation: the purpose of the task.
            task_id: the task's id.
            within: seconds to wait; a task whose service was restarted never ends.
            ends: the states.

        Raises:
            UncertainError: it did not reach them in time, or no longer exists.
            GatewayError: it has failed.
        """
        waiting = _Waiting(task_id, {*ends, FAILED, *GONE}, time.monotonic())
        self._waiting.add(waiting)
        self._news.set()
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll_all())
        try:
            with anyio.fail_after(within):
                task = await waiting.answer
        except TimeoutError:
            raise errors.UncertainError(
                f"{operation.name} on {self._call.where} failed: the gateway has not finished it "
                f"within {format_duration(within)} (its task {task_id})"
            ) from None
        finally:
            self._waiting.discard(waiting)
        if task.status in ends:
            return task
        if task.status in GONE:
            raise errors.UncertainError(
                f"{operation.name} on {self._call.where} failed: the gateway no longer knows its task "
                f"{task_id}"
            )
        raise failure_of(operation, task, self._call.where)

    async def all(self) -> list[Task]:
        """Query all tasks of the user that the gateway keeps: those of a day."""
        return await self._call(TASK, lambda: self._ask(None))

    async def close(self) -> None:
        """Stop polling."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    async def _poll_all(self) -> None:
        while self._waiting:
            pause = min(one.due for one in self._waiting) - time.monotonic()
            if pause > 0:
                self._news.clear()
                with anyio.move_on_after(pause):
                    await self._news.wait()
                continue
            await self._poll()

    async def _poll(self) -> None:
        # Tasks that are due soon are included.
        horizon = time.monotonic() + FIRST_LOOK / 2
        due = sorted((one for one in self._waiting if one.due <= horizon), key=lambda one: one.due)[:TOGETHER]
        try:
            found = await self._ask_for([one.task_id for one in due])
        except errors.GatewayError as error:
            for one in due:
                if not one.answer.done():
                    one.answer.set_exception(error)
                self._waiting.discard(one)
            return
        now = time.monotonic()
        for one in due:
            task = found.get(one.task_id)
            if task is not None and task.status in one.ends and not one.answer.done():
                one.answer.set_result(task)
                self._waiting.discard(one)
            else:
                # A task may be unknown for a moment; it is polled until its timeout.
                one.polled(now)

    async def _ask_for(self, ids: Collection[str]) -> Mapping[str, Task]:
        together = len(ids) > 1 and self._several - self._single < SLOW
        begun = time.monotonic()
        if together:
            found: Iterable[Task | None] = await self._call(TASK, lambda: self._ask(ids))
            self._several = time.monotonic() - begun
        else:
            found = await asyncio.gather(*(self._call(TASK, partial(self._ask_one, one)) for one in ids))
            self._single = time.monotonic() - begun
        return {task.task_id: task for task in found if task is not None}

    async def _ask(self, ids: Collection[str] | None) -> list[Task]:
        params = None if ids is None else {"tasks": ",".join(ids)}
        return schemas.parse_tasks(await self._client.get("/tasks", params))

    async def _ask_one(self, task_id: str) -> Task | None:
        answer = await self._client.find(f"/tasks/{task_id}")
        return None if answer is None else schemas.parse_task(answer)


def failure_of(operation: Operation, task: Task, where: str) -> errors.GatewayError:
    """Return the error of a failed task."""
    text = shortened(task.text) or task.description or "the gateway gives no reason"
    kind = task.meaning or errors.RejectedError
    return kind(f"{operation.name} on {where} failed: {explained(kind, text)}", detail=task.text)
