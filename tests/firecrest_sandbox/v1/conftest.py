"""A client of a server's FirecREST v1."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.firecrest_sandbox.conftest import PATIENCE, SHARED, Api

BETWEEN = ("100", "101", "110", "111", "112", "113", "116")


class V1:
    """HTTP client of a server's v1, with a token and the system's name."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.api = Api(sandbox)
        self.http = self.api.http
        self.http.headers["X-Machine-Name"] = sandbox.config.system
        self.home = Path(sandbox.environment()["FIRECREST_BASEDIR"])

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(path, params=query)

    def post(self, path: str, **form: Any) -> httpx.Response:
        return self.http.post(path, data=form)

    def put(self, path: str, **form: Any) -> httpx.Response:
        return self.http.put(path, data=form)

    def delete(self, path: str, **form: Any) -> httpx.Response:
        return self.http.request("DELETE", path, data=form)

    def upload(self, name: str, content: bytes, directory: Path | None = None) -> httpx.Response:
        fields = {"targetPath": str(directory or self.home)}
        return self.http.post("/utilities/upload", data=fields, files={"file": (name, content)})

    def task(self, task_id: str) -> dict[str, Any]:
        answer = self.http.get("/tasks", params={"tasks": task_id})
        assert answer.status_code == 200, answer.text
        task: dict[str, Any] = answer.json()["tasks"][task_id]
        return task

    def reached(self, task_id: str, *states: str) -> dict[str, Any]:
        """Wait until a task is in one of these states, or by default in a final one."""
        deadline = time.monotonic() + PATIENCE
        while True:
            task = self.task(task_id)
            if task["status"] in states or (not states and task["status"] not in BETWEEN):
                return task
            assert time.monotonic() < deadline, task
            time.sleep(0.02)

    def ended(self, answer: httpx.Response) -> dict[str, Any]:
        """Return the task that an answer names, once the task has ended."""
        assert answer.status_code in (200, 201), answer.text
        return self.reached(answer.json()["task_id"])

    def script(self, text: str, name: str = "job.sh") -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}")
        return path

    def submit(self, text: str, name: str = "job.sh", **form: Any) -> httpx.Response:
        return self.post("/compute/jobs/path", targetPath=str(self.script(text, name)), **form)

    def submitted(self, text: str, name: str = "job.sh", **form: Any) -> str:
        task = self.ended(self.submit(text, name, **form))
        assert task["status"] == "200", task
        return str(task["data"]["jobid"])

    def accounted(self, *ids: str, **query: Any) -> list[dict[str, str]]:
        jobs = {"jobs": ",".join(ids)} if ids else {}
        task = self.ended(self.get("/compute/acct", **jobs, **query))
        assert task["status"] == "200", task
        return list(task["data"])

    def until(self, job_id: str, *states: str) -> list[dict[str, str]]:
        """Wait until all of a job's rows begin with one of these states."""
        deadline = time.monotonic() + PATIENCE
        while True:
            rows = self.accounted(job_id)
            if rows and all(row["state"].startswith(states) for row in rows):
                return rows
            assert time.monotonic() < deadline, rows
            time.sleep(0.02)

    def put_into_storage(self, form: dict[str, Any], content: bytes) -> httpx.Response:
        """Send a file with the form in the data of an upload's task."""
        parameters = form["parameters"]
        name = Path(parameters["files"]).name
        return httpx.post(
            parameters["url"],
            data=parameters["data"],
            files={"file": (name, content)},
            trust_env=False,
            timeout=PATIENCE,
        )

    def close(self) -> None:
        self.api.close()


@pytest.fixture(scope="module")
def v1_sandbox() -> Iterator[Sandbox]:
    """A server that the tests of a module share, as they do not affect each other."""
    with Sandbox(SHARED) as sandbox:
        yield sandbox


@pytest.fixture
def v1(v1_sandbox: Sandbox) -> Iterator[V1]:
    client = V1(v1_sandbox)
    yield client
    client.sandbox.faults.clear()
    client.close()


@pytest.fixture
def start_v1(request: pytest.FixtureRequest) -> Any:
    """Start a server with the given settings, and return a client of its v1."""

    def start_one(**settings: Any) -> V1:
        sandbox = Sandbox(SandboxConfig(**{"kill_wait": 1.0, **settings}))
        sandbox.__enter__()
        request.addfinalizer(lambda: sandbox.__exit__(None, None, None))
        client = V1(sandbox)
        request.addfinalizer(client.close)
        return client

    return start_one
