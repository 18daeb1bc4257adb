"""Replays recorded requests against a sandbox whose v1 was prepared like the recorded gateway."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.firecrest_sandbox.recordings import Shape
from tests.firecrest_sandbox.v1.conftest import V1
from tests.firecrest_sandbox.v1.differences import DIFFERENCES
from tests.firecrest_sandbox.v1.prepared import lay_out
from tests.firecrest_sandbox.v1.recordings import RECORDINGS, Exchange, exchanges, names
from tests.firecrest_sandbox.v1.replay import Replay

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no directory `shared` with recordings beside the project"
)

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
    """Compare all fields of a submission; the output is the current one."""
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
