"""A gateway that speaks FirecREST v1 out of a table, tasks included."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.v1.gateway import GatewayV1
from reframe_firecrest.model.slurm_job import JobPart
from tests.gateway.helpers import FAST, Answer, Api, Follower, answer, finished, following, make_settings, run

RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "firecrest-api" / "recordings-v1"

PARAMETERS = "GET /status/parameters"
SUBMIT = "POST /compute/jobs/path"
ACCOUNTING = "GET /compute/acct"
QUEUE = "GET /compute/jobs"
TASKS = "GET /tasks"


def refusal(text: str = "", status: int = 400, **headers: str) -> httpx.Response:
    """Make an error of v1's: what it says, and the header that says how it is meant."""
    body = {"description": "Error on ls operation", **({"error": text} if text else {})}
    return answer(status, body, **headers)


class Begun:
    """An answer in advance, and what its task shows at each look; the last for ever.

    Args:
        shown: pairs of status and data.
        status: of the answer in advance.
    """

    def __init__(self, *shown: tuple[str, object], status: int = 200) -> None:
        self.shown = list(shown)
        self.status = status


Row = Answer | Begun | Sequence[Answer | Begun]


class ApiV1(Api):
    """Answer requests from a table, in which an answer can be the beginning of a task.

    Attributes:
        tasks: what each task shows from now on.
        looks: ids of the tasks that each look asked for.
    """

    def __init__(self, table: Mapping[str, Row], known: Sequence[object] = ()) -> None:
        self.tasks: dict[str, list[tuple[str, object]]] = {}
        self.looks: list[list[str]] = []
        self.known = list(known)
        rows: dict[str, Answer | Sequence[Answer]] = {TASKS: self._tasks}
        for key, row in table.items():
            if isinstance(row, Begun):
                rows[key] = self._begin(row)
            elif isinstance(row, Sequence):
                rows[key] = [self._begin(one) if isinstance(one, Begun) else one for one in row]
            else:
                rows[key] = row
        super().__init__(rows)

    def _begin(self, begun: Begun) -> Callable[[httpx.Request], httpx.Response]:
        def begin(_request: httpx.Request) -> httpx.Response:
            task_id = f"{len(self.tasks):032x}"
            self.tasks[task_id] = list(begun.shown)
            return answer(begun.status, {"success": "Task created", "task_id": task_id})

        return begin

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/hpc")
        if path.startswith("/tasks/"):
            task_id = path.removeprefix("/tasks/")
            self.looks.append([task_id])
            if task_id not in self.tasks:
                return answer(404, {"error": f"Task {task_id} does not exist"})
            return answer(200, {"task": self._shown(task_id)})
        return await super().__call__(request)

    def _tasks(self, request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get("tasks")
        if wanted is None:
            return answer(200, {"tasks": {str(number): one for number, one in enumerate(self.known)}})
        self.looks.append(wanted.split(","))
        known = [task_id for task_id in wanted.split(",") if task_id in self.tasks]
        return answer(200, {"tasks": {task_id: self._shown(task_id) for task_id in known}})

    def _shown(self, task_id: str) -> dict[str, object]:
        row = self.tasks[task_id]
        status, data = row.pop(0) if len(row) > 1 else row[0]
        return task(task_id, status, data)

    def form(self, number: int = -1) -> dict[str, str]:
        """Return the form that a request carried."""
        fields = parse_qs(self.requests[number].content.decode(), keep_blank_values=True)
        return {key: value for key, [value] in fields.items()}

    def params(self, key: str) -> list[dict[str, str]]:
        """Return the queries of the requests of one kind."""
        return [
            dict(request.url.params)
            for seen, request in zip(self.seen, self.requests, strict=True)
            if seen == key
        ]


def task(task_id: str, status: str, data: object, created: str = "2026-11-23T06:04:17") -> dict[str, object]:
    return {
        "hash_id": task_id,
        "task_id": task_id,
        "status": status,
        "description": "as it is",
        "data": data,
        "service": "compute",
        "created_at": created,
    }


def done(data: object = "", **more: int) -> Begun:
    return Begun(("100", "Queued"), ("200", data), **more)


def failed(text: str, **more: int) -> Begun:
    return Begun(("100", "Queued"), ("400", text), **more)


def row(job_id: str, state: str = "COMPLETED", **more: str) -> dict[str, str]:
    """Make a row of the accounting."""
    return {
        "jobid": job_id,
        "name": "rfm",
        "partition": "normal",
        "state": state,
        "nodelist": "nid001",
        "nodes": "1",
        "exit_code": "0:0",
        "start_time": "2026-11-23T06:03:46",
        "termination_time": "2026-11-23T06:03:47",
        "elapsed_time": "00:00:01",
        "time": "00:00:09",
        "time_left": "2026-11-23T06:03:47",
        **more,
    }


def queued(job_id: str, state: str = "PENDING", **more: str) -> dict[str, str]:
    """Make a row of the queue, with its two times the wrong way round."""
    return {
        "jobid": job_id,
        "name": "rfm",
        "state": state,
        "nodelist": "(Resources)",
        "nodes": "1",
        "start_time": "0:00",
        "time": "N/A",
        "time_left": "30:00",
        "job_file": f"/scratch/t{job_id}/job.sh",
        **more,
    }


def make_gateway(
    api: Api,
    *parts: JobPart,
    wait: Follower | None = None,
    retry_policy: RetryPolicy = FAST,
    **changes: object,
) -> GatewayV1:
    connection = Connection(make_settings(**changes), retry_policy, httpx.MockTransport(api))
    return following(GatewayV1(connection), wait or finished(*parts)[1])


def call(api: Api, *methods: Callable[[GatewayV1], Awaitable[Any]], **how: Any) -> Any:
    """Call methods of a gateway; return what the last one returned."""

    async def work() -> Any:
        made = make_gateway(api, **how)
        try:
            for method in methods:
                result = await method(made)
        finally:
            await made.close()
        return result

    return run(work())


def exchanges(name: str) -> list[Any]:
    """Return the exchanges of a recording of a real gateway; skip where there are none."""
    path = RECORDINGS / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"no recordings of a real gateway in {RECORDINGS}")
    found: list[Any] = json.loads(path.read_text())["exchanges"]
    return found


def response_of(exchange: Any) -> httpx.Response:
    """Make the answer that was recorded."""
    recorded = exchange["response"]
    body = recorded["body"]
    content = json.dumps(body).encode() if isinstance(body, (dict, list)) else str(body or "").encode()
    return httpx.Response(recorded["status"], headers=recorded["headers"], content=content)


def data_of(name: str) -> object:
    """Return the data of the task with which a recording ends."""
    body = exchanges(name)[-1]["response"]["body"]
    [found] = body["tasks"].values()
    data: object = found["data"]
    return data
