"""Sends recorded requests to a sandbox, in its own paths, ids and tokens."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt

from firecrest_sandbox import FaultRule
from firecrest_sandbox.fault_injection.faults import FaultKind
from firecrest_sandbox.v1.tasklist import Task, TaskState
from tests.firecrest_sandbox.v1.conftest import V1
from tests.firecrest_sandbox.v1.prepared import JOBS, OTHERWISE
from tests.firecrest_sandbox.v1.recordings import Exchange, exchanges


class Replay:
    """One recording being replayed."""

    def __init__(self, v1: V1, name: str) -> None:
        self.v1 = v1
        self.name = name
        self.ids: dict[str, str] = {}
        """Recorded ids of jobs and tasks, and what stands for them here."""
        self.last_task = ""

    def prepare(self) -> None:
        makers = JOBS | OTHERWISE.get(self.name, {})
        for exchange in exchanges(self.name):
            asked = exchange.query.get("jobs", "")
            if match := re.match(r"/compute/jobs/(\d+)$", exchange.path):
                asked = match[1]
            for job_id in re.findall(r"\b\d+", asked):
                if job_id in makers and job_id not in self.ids:
                    self.ids[job_id] = makers[job_id](self.v1)
        if "" in makers:
            makers[""](self.v1)
        if self.name == "symlink_exists":
            (self.v1.home / "v1test" / "link").symlink_to("small.txt")
        if self.name == "submit_sbatch_warning_exit0":
            self.v1.sandbox.faults.add(FaultRule(path="/jobs/path", kind=FaultKind.WARN))
        if self.name.startswith(("raw_task", "tasks_by_id", "tasks_two")):
            self._add_recorded_task()

    def _add_recorded_task(self) -> None:
        recorded = exchanges("raw_task_path")[0].answer["task"]
        other = self.name == "raw_task_other_user"
        user = "somebody-else" if other else self.v1.sandbox.state.user.name
        task = Task(user, "compute", "mycluster", id=recorded["task_id"])
        task.update(TaskState.SUCCESS, recorded["data"])
        self.v1.sandbox.state.tasks.add(task)

    def translated(self, value: Any) -> Any:
        """Return a recorded value with the sandbox's paths, user and ids."""
        text = json.dumps(value, ensure_ascii=False)
        text = text.replace("/scratch/fireuser", str(self.v1.home))
        text = re.sub(r"/scratch/(readonly|rootonly)", rf"{self.v1.sandbox.root}/scratch/\1", text)
        text = text.replace("fireuser", self.v1.sandbox.state.user.name)
        for recorded, here in self.ids.items():
            text = re.sub(rf"(?<![\w.:]){recorded}(?!\d|:\d)", here, text)
        return json.loads(text)

    def send(self, exchange: Exchange) -> httpx.Response:
        path = exchange.path
        for recorded, here in self.ids.items():
            path = re.sub(rf"/{recorded}$", f"/{here}", path)
        if exchange.query:
            path += "?" + urlencode(self.translated(exchange.query))
        options: dict[str, Any] = {}
        if exchange.form is not None:
            options["data"] = self.translated(exchange.form)
        if exchange.files:
            [(field, file)] = exchange.files.items()
            options["files"] = {field: (self.file_name(file["filename"]), self.content(file))}
        headers = {name: exchange.headers[name] for name in exchange.headers if name.startswith("X-")}
        options["headers"] = self.translated(headers)
        request = self.v1.http.build_request(exchange.method, path, **options)
        if "X-Machine-Name" not in exchange.headers:
            del request.headers["X-Machine-Name"]
        self.spoil_token(request)
        return self.v1.http.send(request)

    def spoil_token(self, request: httpx.Request) -> None:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        authority = self.v1.sandbox.state.authority
        if self.name.startswith("bad_token"):
            token = jwt.encode(authority.claims(token), bytes(len(authority.key)), algorithm="HS256")
        elif self.name.startswith("expired_token"):
            claims = {**authority.claims(token), "exp": 1}
            token = jwt.encode(claims, authority.key, algorithm="HS256")
        elif "garbage_token" in self.name:
            token = "garbage"
        elif self.name == "raw_no_token":
            del request.headers["Authorization"]
            return
        request.headers["Authorization"] = f"Bearer {token}"

    def recognise(self, exchange: Exchange) -> None:
        """Take a task that was recorded elsewhere for the last one here."""
        asked = exchange.query.get("tasks", "")
        if exchange.asks_for_tasks and list(exchange.tasks) == [asked] and self.last_task:
            self.ids.setdefault(asked, self.last_task)

    @staticmethod
    def file_name(recorded: str) -> str:
        return "ünï.txt" if "\ufffd" in recorded else recorded

    @staticmethod
    def content(file: dict[str, Any]) -> bytes:
        text = str(file["content"]).encode()
        return text if len(text) == file["bytes"] else b"x" * int(file["bytes"])
