"""Replays recorded requests against a sandbox whose v1 was prepared like the recorded gateway."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
import pytest

from reframe_firecrest.sandbox import FaultRule, Sandbox, SandboxConfig
from reframe_firecrest.sandbox.disturb.faults import FaultKind
from reframe_firecrest.sandbox.v1.tasklist import Task, TaskState
from tests.sandbox.recordings import Shape
from tests.sandbox.v1.conftest import V1
from tests.sandbox.v1.differences import DIFFERENCES
from tests.sandbox.v1.recordings import RECORDINGS, Exchange, exchanges, names

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no directory `shared` with recordings beside the project"
)

LINES = "".join(f"line {n}\n" for n in range(1, 31)).encode()
UNKNOWN_JOB = "999999"
OK = "#SBATCH -J ok\n#SBATCH -o ok-%j.out\n#SBATCH -e ok-%j.err\nhostname\n"

NEEDS_USER = "permissions don't stop root"
NOT_REPLAYED = {
    **dict.fromkeys(
        (
            "chown_denied",
            "external_download_denied",
            "external_upload_denied",
            "external_upload_readonly_target",
            "list_files_denied",
            "mkdir_denied",
            "simple_delete_denied",
            "simple_download_denied",
            "simple_upload_denied",
            "stat_denied",
            "submit_denied_script",
        ),
        NEEDS_USER,
    ),
    "external_upload_115_then_retried_by_server": "test_storage",
    "reservations": "reservations",
    "status_cache_filled_by_user_without_account": "v1-cache",
    "submit_rsync_job": "rsync isn't everywhere; test_internal has the other operations",
    "token_user_without_account_compute": "v1-users",
    "token_user_without_account_submit": "v1-users",
    "token_user_without_account_utilities": "v1-users",
}
if os.geteuid() != 0:
    NOT_REPLAYED = {name: why for name, why in NOT_REPLAYED.items() if why != NEEDS_USER}

# What the answer's text is like, but not the same.
EXCUSED_TEXTS = {
    "raw_unknown_endpoint": "v1-proxy",
    "raw_wrong_method": "v1-proxy",
    "simple_upload_missing_dir": "v1-texts",
    "compress_missing": "v1-texts",
    "simple_download_dir": "v1-texts",
    "view_binary": "v1-texts",
}
PURGED = ("poll_active_purged_id", "poll_active_purged_and_live", "poll_active_fast_polling")


def replayed() -> list[str]:
    return [name for name in names() if name not in NOT_REPLAYED and exchanges(name)]


@pytest.fixture(scope="module")
def recorded_like() -> Iterator[V1]:
    settings = SandboxConfig(
        api="v1",
        system="mycluster",
        partitions=("normal", "debug"),
        accounts=("staff", "users"),
        operation_timeout=2.0,
        kill_wait=1.0,
    )
    with Sandbox(settings) as sandbox:
        client = V1(sandbox)
        scratch = sandbox.root / "scratch"
        (scratch / "readonly").mkdir(parents=True)
        (scratch / "readonly" / "file.txt").touch()
        (scratch / "readonly").chmod(0o555)
        (scratch / "rootonly").mkdir(mode=0)
        yield client
        (scratch / "rootonly").chmod(0o700)
        client.close()


@pytest.fixture
def prepared(recorded_like: V1) -> Iterator[V1]:
    lay_out(recorded_like.home / "v1test")
    yield recorded_like
    recorded_like.sandbox.faults.clear()
    task = recorded_like.ended(recorded_like.get("/compute/jobs"))
    for job in task["data"].values():
        recorded_like.ended(recorded_like.delete(f"/compute/jobs/{job['jobid'].partition('_')[0]}"))


def lay_out(top: Path) -> None:
    """Make the recorded directory anew."""
    shutil.rmtree(top, ignore_errors=True)
    for name in ("a/b", "out", "jobs/a=b", "jobs/dir with space", "xout"):
        (top / name).mkdir(parents=True)
    files = {
        "small.txt": LINES,
        "copy.txt": LINES,
        "moved.txt": LINES,
        "cj.txt": LINES,
        "rj.txt": LINES,
        "bin.dat": bytes(range(256)) * 20,
        "empty.txt": b"",
        "hello.txt": b"hello\n",
        "with space.txt": b"a",
        "ünï.txt": b"a",
        "m49.bin": b"y" * 5_242_280,
        "big.bin": b"b" * 6_000_000,
    }
    for name, content in files.items():
        (top / name).write_bytes(content)
    with (top / "sparse.bin").open("wb") as sparse:
        sparse.truncate(200 * 1024**3)
    for name in ("a.tar.gz", "noext", "xa.tar.gz"):
        with tarfile.open(top / name, "w:gz") as archive:
            archive.add(top / "a", "a")
    scripts = {
        "ok.sh": OK,
        "a=b/ok.sh": OK,
        "dir with space/ok.sh": OK,
        "bad.sh": "#SBATCH -p nope\nhostname\n",
        "warn.sh": "hostname\n",
        "warn2.sh": "hostname\n",
    }
    for name, text in scripts.items():
        (top / "jobs" / name).write_text(f"#!/bin/bash\n{text}")
    (top / "jobs" / "noshebang.sh").write_text("hostname\n")


def fill(v1: V1) -> None:
    """Have all nodes taken, so that further jobs wait."""
    v1.submitted("#SBATCH --exclusive -N4\nsleep 60\n", "v1test/jobs/fill.sh")


def running(v1: V1) -> str:
    job_id = v1.submitted("#SBATCH -J slow\nsleep 60\n", "v1test/jobs/slow.sh")
    v1.until(job_id, "RUNNING")
    return job_id


def pending(v1: V1) -> str:
    fill(v1)
    return v1.submitted("#SBATCH -J pend\ntrue\n", "v1test/jobs/pend.sh")


def done(v1: V1) -> str:
    job_id = v1.submitted(OK, "v1test/jobs/ok.sh")
    v1.until(job_id, "COMPLETED")
    return job_id


def array(v1: V1) -> str:
    return v1.submitted("#SBATCH -J arr --array=0-1\nsleep 60\n", "v1test/jobs/arr.sh")


def running_array(v1: V1) -> str:
    job_id = array(v1)
    v1.until(job_id, "RUNNING")
    return job_id


def done_array(v1: V1) -> str:
    job_id = v1.submitted("#SBATCH -J arr --array=0-1\ntrue\n", "v1test/jobs/arr.sh")
    v1.until(job_id, "COMPLETED")
    return job_id


def pending_array(v1: V1) -> str:
    fill(v1)
    return v1.submitted("#SBATCH --array=0-9%2\ntrue\n", "v1test/jobs/apend.sh")


def cancelled(make: Callable[[V1], str]) -> Callable[[V1], str]:
    def prepare(v1: V1) -> str:
        job_id = make(v1)
        v1.ended(v1.delete(f"/compute/jobs/{job_id}"))
        v1.until(job_id, "CANCELLED")
        return job_id

    return prepare


def talkative(v1: V1) -> str:
    job_id = v1.submitted("seq 2000\nsleep 60\n", "v1test/jobs/out.sh")
    output = v1.home / "v1test" / "jobs" / f"slurm-{job_id}.out"
    while not output.exists() or not output.read_text().endswith("2000\n"):
        time.sleep(0.02)
    return job_id


# What the recorded jobs were like when they were asked for.
JOBS: dict[str, Callable[[V1], str]] = {
    "82": done,
    "93": running,
    "94": done,
    "95": pending,
    "96": done_array,
    "97": pending_array,
    "133": running,
    "321": talkative,
}
OTHERWISE: dict[str, dict[str, Callable[[V1], str]]] = {
    "cancel_again": {"93": cancelled(running)},
    "poll_array_running": {"96": running_array},
    "poll_cancelled": {"93": cancelled(running), "95": cancelled(pending), "97": cancelled(pending_array)},
    **{name: {"82": lambda _: UNKNOWN_JOB} for name in PURGED},
    "poll_active": {"": lambda v1: pending(v1) and pending_array(v1)},
    "poll_active_page": {"": lambda v1: pending(v1) and pending_array(v1)},
    "poll_all": {"": done},
    "poll_page": {"": lambda v1: done(v1) and done(v1) and done(v1) and done(v1)},
    "poll_starttime": {"": done},
    "poll_starttime_datetime": {"": done},
    "poll_active_page_too_far": {"": lambda v1: pending(v1) and pending(v1)},
    "submit_sbatch_warning_exit0": {"": done},
}


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
        user = "somebody-else" if other else self.v1.sandbox.gateway.user.name
        task = Task(user, "compute", "mycluster", id=recorded["task_id"])
        task.update(TaskState.SUCCESS, recorded["data"])
        self.v1.sandbox.gateway.tasks.add(task)

    def translated(self, value: Any) -> Any:
        """Return a recorded value with the sandbox's paths, user and ids."""
        text = json.dumps(value, ensure_ascii=False)
        text = text.replace("/scratch/fireuser", str(self.v1.home))
        text = re.sub(r"/scratch/(readonly|rootonly)", rf"{self.v1.sandbox.root}/scratch/\1", text)
        text = text.replace("fireuser", self.v1.sandbox.gateway.user.name)
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
        authority = self.v1.sandbox.gateway.authority
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


@pytest.mark.parametrize("name", replayed())
def test_answer_is_like_the_recorded_one(prepared: V1, name: str) -> None:
    replay = Replay(prepared, name)
    replay.prepare()
    recorded = exchanges(name)
    for number, exchange in enumerate(recorded):
        replay.recognise(exchange)
        if exchange.asks_for_tasks and exchange.query.get("tasks", "") in replay.ids:
            later = recorded[number + 1 :]
            asked = exchange.query["tasks"]
            if not any(one.asks_for_tasks and one.query.get("tasks") == asked for one in later):
                compare_tasks(replay, asked, [one for one in recorded if one.query.get("tasks") == asked])
            continue
        answer = replay.send(exchange)
        compare(replay, exchange, answer)
        if "task_id" in str(exchange.answer) and exchange.status in (200, 201) and exchange.path != "/tasks":
            task = exchange.answer.get("task_id")
            if task is not None:
                replay.ids[task] = replay.last_task = answer.json()["task_id"]


def compare(replay: Replay, exchange: Exchange, answer: httpx.Response) -> None:
    assert answer.status_code == exchange.status, answer.text
    for header, value in exchange.answered_headers.items():
        if header == "Content-Type":
            kind = value.partition(";")[0]
            if replay.name not in EXCUSED_TEXTS:
                assert answer.headers.get(header, kind).partition(";")[0] == kind
        elif replay.name not in EXCUSED_TEXTS:
            assert answer.headers[header] == replay.translated(value)
        else:
            assert header in answer.headers
    if exchange.answered_headers.get("Content-Type") != "application/json":
        compare_content(replay, exchange, answer)
        return
    body: Any = answer.json() if answer.content else None
    recorded: Any = exchange.answer
    if replay.name == "tasks_all_count":
        # What tasks there are is of the day; what they hold has its own recordings.
        recorded, body = ([{**t, "data": 0} for t in one["tasks"].values()] for one in (recorded, body))
    assert not Shape().see(recorded).unlike(Shape().see(body)), body
    if isinstance(exchange.answer, dict) and "description" in exchange.answer:
        assert body["description"] == replay.translated(exchange.answer["description"])
    if exchange.status < 400:
        return
    if EXCUSED_TEXTS.get(replay.name) not in DIFFERENCES:
        assert body == replay.translated(exchange.answer)


def compare_content(replay: Replay, exchange: Exchange, answer: httpx.Response) -> None:
    if "Request Line" in str(exchange.answer):
        assert re.search(r"Request Line is too large \(\d+ &gt; 4094\)", answer.text)
    elif replay.name == "simple_download":
        assert answer.text == exchange.answer


def compare_tasks(replay: Replay, task_id: str, recorded: list[Exchange]) -> None:
    """Follow a task through what the recorded one went through, as far as that could be seen."""
    states = {one.tasks[task_id]["status"]: one.tasks[task_id] for one in recorded}
    form: dict[str, Any] | None = None
    last = list(states)[-1]
    if "111" in states:
        task = replay.v1.reached(replay.ids[task_id], "111")
        compare_task(replay, states["111"], task)
        form = task["data"]["msg"]
    if last in ("113", "114", "115") and form is not None:
        assert replay.v1.put_into_storage(form, b"").status_code == 204
    if replay.name == "submit_polling_exhausted":
        last = "200"
    task = replay.v1.reached(replay.ids[task_id], last)
    if last in states:
        compare_task(replay, states[last], task)
    if isinstance(task["data"], dict) and "jobid" in task["data"] and last in states:
        replay.ids[states[last]["data"]["jobid"]] = task["data"]["jobid"]
        replay.v1.until(task["data"]["jobid"], "COMPLETED", "FAILED")
        compare_job(replay, states[last]["data"], task["data"])


def shape(task: dict[str, Any]) -> Shape:
    """Return a task's shape; of jobs that are numbered like a list, that of the list."""
    data = task["data"]
    if isinstance(data, dict) and all(name.isdigit() for name in data):
        data = {"numbered": list(data.values())}
    return Shape().see({**task, "data": data})


def compare_task(replay: Replay, recorded: dict[str, Any], task: dict[str, Any]) -> None:
    if not (replay.name.startswith("submit_") and recorded["data"] == {}):
        # Slurm's accounting didn't know the recorded job yet.
        assert not shape(recorded).unlike(shape(task)), task
    for key in ("status", "description", "service", "system"):
        assert task[key] == recorded[key]
    if isinstance(recorded["data"], str):
        assert task["data"] == replay.translated(recorded["data"])


def compare_job(replay: Replay, recorded: dict[str, Any], job: dict[str, Any]) -> None:
    """Compare all of what a submission tells; the output is that of the moment."""
    data = {key: value for key, value in replay.translated(recorded).items() if "data" not in key}
    assert {key: value for key, value in job.items() if "data" not in key} == data


def test_every_recording_is_replayed_or_explained() -> None:
    assert all(NOT_REPLAYED.values())
    for why in EXCUSED_TEXTS.values():
        assert why in DIFFERENCES
    assert len(replayed()) > 150


def test_the_table_of_differences_is_the_documented_one() -> None:
    documented = (Path(__file__).resolve().parents[3] / "docs" / "sandbox.md").read_text()
    for one in DIFFERENCES.values():
        row = f"| {one.what} | {one.real} | {one.sandbox} | {one.why} |"
        assert row in documented, row
