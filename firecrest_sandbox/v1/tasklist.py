"""Tasks: the state of asynchronous requests, which clients poll.

The states and their texts are FirecREST's (src/common/async_task.py of 1.16.6, confirmed by recordings).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine

_LOGGER = logging.getLogger(__name__)
_DATE_FORMAT = "%Y-%m-%dT%H:%M:%S"


class TaskState(Enum):
    """States of a task: the number that clients compare, and its description."""

    QUEUED = ("100", "Queued")
    SUCCESS = ("200", "Finished successfully")
    INVALID = ("302", "Task not longer valid")
    ERROR = ("400", "Finished with errors")

    URL_ASKED = ("110", "Waiting for Form URL from Object Storage to be retrieved")
    URL_RECEIVED = ("111", "Form URL from Object Storage received")
    UPLOAD_CONFIRMED = ("112", "Object Storage confirms that upload to Object Storage has finished")
    FETCH_BEGUN = ("113", "Download from Object Storage to server has started")
    FETCH_ENDED = ("114", "Download from Object Storage to server has finished")
    FETCH_FAILED = ("115", "Download from Object Storage error")

    STORE_BEGUN = ("116", "Started upload from filesystem to Object Storage")
    STORE_ENDED = ("117", "Upload from filesystem to Object Storage has finished succesfully")
    STORE_FAILED = ("118", "Upload from filesystem to Object Storage has finished with errors")

    @property
    def number(self) -> str:
        """The state's number, as text."""
        return self.value[0]

    @property
    def description(self) -> str:
        """The state's meaning."""
        return self.value[1]


def _now() -> str:
    return time.strftime(_DATE_FORMAT)


@dataclass
class Task:
    """One task; its times are local, without a time zone."""

    user: str
    service: str
    system: str
    stalled: bool = False
    """Updates are ignored."""
    withdrawn: bool = False
    """Its URL was invalidated, which only `GET /tasks/ID` shows."""
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    state: TaskState = TaskState.QUEUED
    data: Any = TaskState.QUEUED.description
    created: str = field(default_factory=_now)
    updated: str = field(default_factory=_now)

    def update(self, state: TaskState, data: Any = None) -> None:
        """Set the state and its data, by default the state's description."""
        if self.stalled:
            return
        self.state = state
        self.data = state.description if data is None else data
        self.updated = _now()

    def shown(self, *, withdrawn: bool = False) -> dict[str, Any]:
        """Return the task in the format of the API."""
        state, data = (TaskState.INVALID, "") if withdrawn else (self.state, self.data)
        return {
            "created_at": self.created,
            "data": data,
            "description": state.description,
            "hash_id": self.id,
            "last_modify": self.updated,
            "service": self.service,
            "status": state.number,
            "system": self.system,
            "task_id": self.id,
            "updated_at": self.updated,
            "user": self.user,
        }


class TaskList:
    """All tasks since the start, and their work, on the event loop of the server."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._work: set[asyncio.Task[None]] = set()

    def add(self, task: Task) -> Task:
        """Add a new task."""
        self._tasks[task.id] = task
        return task

    def get(self, task_id: str) -> Task | None:
        """Return a task, or None."""
        return self._tasks.get(task_id)

    def of_user(self, user: str, ids: Collection[str] | None) -> list[Task]:
        """Return a user's tasks, all or those with the given ids; unknown ids are ignored."""
        return [
            task for task in self._tasks.values() if task.user == user and (ids is None or task.id in ids)
        ]

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start the work of a task in the background."""
        running = asyncio.get_running_loop().create_task(work)
        self._work.add(running)
        running.add_done_callback(self._done)

    def _done(self, running: asyncio.Task[None]) -> None:
        self._work.discard(running)
        if not running.cancelled() and (error := running.exception()) is not None:
            _LOGGER.error("a task of the sandbox failed", exc_info=error)

    async def stop(self) -> None:
        """Cancel all work."""
        for running in self._work:
            running.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
