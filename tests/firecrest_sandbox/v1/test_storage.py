"""Files by way of the object storage."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from firecrest_sandbox import FaultRule
from firecrest_sandbox.fault_injection.faults import FaultKind
from tests.firecrest_sandbox.v1.conftest import V1

Start = Any


def announced(v1: V1, target: Path, source: str = "local.bin") -> tuple[str, dict[str, Any]]:
    """Announce a file and return its task's id and the form."""
    answer = v1.post("/storage/xfer-external/upload", targetPath=str(target), sourcePath=source)
    assert answer.status_code == 201, answer.text
    task_id = str(answer.json()["task_id"])
    return task_id, v1.reached(task_id, "111")["data"]["msg"]


def test_a_file_is_put_into_a_directory_under_its_own_name(v1: V1) -> None:
    task_id, form = announced(v1, v1.home, "dir/local.bin")
    assert v1.put_into_storage(form, b"content").status_code == 204
    task = v1.reached(task_id, "114")
    assert task["data"]["target"] == f"{v1.home}/local.bin"
    assert (v1.home / "local.bin").read_bytes() == b"content"


def test_an_object_is_gone_once_its_file_is_there(v1: V1) -> None:
    task_id, form = announced(v1, v1.home)
    v1.put_into_storage(form, b"content")
    v1.reached(task_id, "114")
    assert httpx.get(form["download_url"], trust_env=False).status_code == 404


def test_a_failed_upload_is_tried_again_while_the_object_exists(v1: V1) -> None:
    gone = v1.home / "gone"
    gone.mkdir()
    task_id, form = announced(v1, gone)
    gone.rmdir()
    v1.put_into_storage(form, b"content")
    failed = v1.reached(task_id, "115")
    assert failed["description"] == "Download from Object Storage error"
    assert failed["data"]["msg"]["download_url"] == form["download_url"]
    gone.mkdir()
    v1.reached(task_id, "114")
    assert (gone / "local.bin").read_bytes() == b"content"


def test_a_failed_upload_whose_object_is_gone_fails_for_good(v1: V1) -> None:
    gone = v1.home / "never"
    gone.mkdir()
    task_id, form = announced(v1, gone)
    gone.rmdir()
    v1.put_into_storage(form, b"content")
    v1.reached(task_id, "115")
    v1.sandbox.state.store.remove(f"{v1.sandbox.state.user.name}/{form['parameters']['data']['key']}")
    task = v1.reached(task_id, "400")
    assert task["data"] == "File was deleted from staging area. Start a new upload process"


def test_the_storage_checks_at_the_configured_interval(start_v1: Start) -> None:
    v1 = start_v1(transfer_poll=3600)
    task_id, form = announced(v1, v1.home)
    v1.put_into_storage(form, b"content")
    assert v1.get("/utilities/whoami").status_code == 200
    assert v1.task(task_id)["status"] == "111"


@pytest.mark.parametrize(
    ("field", "value"),
    [("key", "another/key"), ("x-amz-signature", "0" * 64), ("policy", "e30="), ("x-amz-signature", "é")],
)
def test_a_form_is_good_for_nothing_else(v1: V1, field: str, value: str) -> None:
    _, form = announced(v1, v1.home)
    form["parameters"]["data"][field] = value
    assert v1.put_into_storage(form, b"content").status_code == 403


def test_a_form_is_good_for_its_bucket_only(v1: V1) -> None:
    _, form = announced(v1, v1.home)
    form["parameters"]["url"] += "-else"
    answer = v1.put_into_storage(form, b"content")
    assert (answer.status_code, "Policy Condition failed" in answer.text) == (403, True)


def test_a_form_expires(start_v1: Start) -> None:
    v1 = start_v1(url_lifetime=1)
    _, form = announced(v1, v1.home)
    while (answer := v1.put_into_storage(form, b"content")).status_code == 204:
        pass
    assert (answer.status_code, "Policy expired" in answer.text) == (403, True)


def test_a_form_needs_a_file(v1: V1) -> None:
    _, form = announced(v1, v1.home)
    parameters = form["parameters"]
    fields = {**parameters["data"], "other": "x"}
    files = {name: (None, value) for name, value in fields.items()}
    answer = httpx.post(parameters["url"], files=files, trust_env=False)
    assert (answer.status_code, "exactly one file" in answer.text) == (400, True)


def test_a_download_can_be_fetched_more_than_once(v1: V1) -> None:
    (v1.home / "file").write_bytes(b"content")
    task = v1.ended(v1.post("/storage/xfer-external/download", sourcePath=str(v1.home / "file")))
    assert task["status"] == "117"
    for _ in range(2):
        assert httpx.get(task["data"]["url"], trust_env=False).content == b"content"
    invalidated = v1.http.post("/storage/xfer-external/invalidate", headers={"X-Task-Id": task["task_id"]})
    assert invalidated.status_code == 201
    assert v1.get(f"/tasks/{task['task_id']}").json()["task"]["status"] == "302"
    assert v1.task(task["task_id"]) == task
    # With S3's fourth kind of signature, FirecREST invalidates nothing.
    assert httpx.get(task["data"]["url"], trust_env=False).content == b"content"


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, "Header X-Task-Id missing"),
        ({"X-Task-Id": "a-b"}, "Header X-Task-Id is not alphanumeric"),
        ({"X-Task-Id": "0000"}, "Invalid X-Task-Id"),
    ],
)
def test_only_a_known_task_can_be_invalidated(v1: V1, headers: dict[str, str], error: str) -> None:
    answer = v1.http.post("/storage/xfer-external/invalidate", headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_a_path_with_a_blank_fails_its_download(v1: V1) -> None:
    directory = v1.home / "blank"
    directory.mkdir()
    (directory / "with blank").write_bytes(b"content")
    task = v1.ended(v1.post("/storage/xfer-external/download", sourcePath=str(directory / "with blank")))
    assert task["status"] == "118"
    assert task["data"]["error"] == (
        "Upload to Staging area has failed. Object: with blank. "
        "curl: (26) Failed to open/read local data from file/application"
    )
    shutil.rmtree(directory)


def test_an_upload_may_stall(v1: V1) -> None:
    v1.sandbox.faults.add(FaultRule(path="/xfer-external/upload$", kind=FaultKind.STALL))
    answer = v1.post("/storage/xfer-external/upload", targetPath=str(v1.home), sourcePath="x")
    announced(v1, v1.home)
    assert v1.task(answer.json()["task_id"])["status"] == "100"


def test_a_link_that_came_in_the_way_is_not_written_through(v1: V1, tmp_path: Path) -> None:
    directory = v1.home / "trap"
    directory.mkdir()
    task_id, form = announced(v1, directory)
    (directory / "local.bin").symlink_to(tmp_path / "outside")
    v1.put_into_storage(form, b"content")
    v1.reached(task_id, "115")
    assert not (tmp_path / "outside").exists()


def test_a_link_that_leads_out_is_no_target(v1: V1, tmp_path: Path) -> None:
    directory = v1.home / "leads out"
    directory.mkdir()
    (directory / "local.bin").symlink_to(tmp_path / "outside")
    target = {"targetPath": str(directory), "sourcePath": "local.bin"}
    answer = v1.post("/storage/xfer-external/upload", **target)
    assert answer.status_code == 400
    assert "X-Permission-Denied" in answer.headers
