"""Operations on files that are jobs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.firecrest_sandbox.v1.conftest import V1


def ran(v1: V1, name: str, **form: Any) -> tuple[dict[str, str], str, str]:
    """Run an operation's job; return its row and what it wrote to its two files."""
    answer = v1.post(f"/storage/xfer-internal/{name}", **{key: str(value) for key, value in form.items()})
    assert set(answer.json()) == {"success", "task_id"}
    task = v1.ended(answer)
    assert task["status"] == "200", task
    [row] = v1.until(task["data"]["jobid"], "COMPLETED", "FAILED")
    output, errors = (Path(task["data"][key]).read_text() for key in ("job_file_out", "job_file_err"))
    return row, output, errors


@pytest.fixture
def place(v1: V1) -> Any:
    directory = v1.home / "internal"
    (directory / "tree" / "deep").mkdir(parents=True)
    (directory / "tree" / "file").write_text("content")
    yield directory
    shutil.rmtree(directory)


def test_a_tree_is_copied_moved_and_removed(v1: V1, place: Path) -> None:
    row, output, _ = ran(v1, "cp", sourcePath=place / "tree", targetPath=place / "copy")
    assert (row["name"], row["state"]) == ("cp-job", "COMPLETED")
    assert output.splitlines()[0] == "Trace ID:"
    assert output.splitlines()[-1].startswith("cp-job finished on ")
    assert (place / "copy" / "file").read_text() == "content"
    ran(v1, "mv", sourcePath=place / "copy", targetPath=place / "moved", jobName="mine")
    assert not (place / "copy").exists()
    ran(v1, "rm", targetPath=place / "moved")
    assert not (place / "moved").exists()


def test_an_archive_is_made_and_unpacked(v1: V1, place: Path) -> None:
    ran(v1, "compress", sourcePath=place / "tree", targetPath=place / "tree.tgz")
    (place / "out").mkdir()
    ran(v1, "extract", sourcePath=place / "tree.tgz", targetPath=place / "out")
    assert (place / "out" / "tree" / "file").read_text() == "content"


@pytest.mark.skipif(shutil.which("rsync") is None, reason="no rsync here")
def test_a_tree_is_synchronised(v1: V1, place: Path) -> None:
    ran(v1, "rsync", sourcePath=place / "tree", targetPath=place / "copy")
    assert (place / "copy" / "tree" / "file").read_text() == "content"


def test_a_job_ends_well_although_its_operation_failed(v1: V1, place: Path) -> None:
    row, _, errors = ran(v1, "cp", sourcePath=place / "missing", targetPath=place / "copy")
    assert (row["state"], row["exit_code"]) == ("COMPLETED", "0:0")
    assert "No such file or directory" in errors


@pytest.mark.parametrize(
    ("form", "status", "body"),
    [
        *(
            ({"time": time}, 400, {"error": "Not supported time format"})
            for time in ("soon", "0", "UNLIMITED")
        ),
        ({"jobName": "a;b"}, 400, {"description": "Invalid jobName", "error": "'jobName' has invalid char"}),
        ({"account": "a|b"}, 400, {"description": "Invalid account", "error": "'account' has invalid char"}),
        (
            {"stageOutJobId": "1`"},
            400,
            {"description": "Invalid stageOutJobId", "error": "'stageOutJobId' has invalid char"},
        ),
    ],
)
def test_what_a_job_is_given_is_checked(
    v1: V1, place: Path, form: dict[str, str], status: int, body: dict[str, str]
) -> None:
    paths = {"sourcePath": str(place / "tree"), "targetPath": str(place / "copy")}
    answer = v1.post("/storage/xfer-internal/cp", **paths, **form)
    assert (answer.status_code, answer.json()) == (status, body)


def test_a_time_limit_and_a_dependency_reach_the_script(v1: V1, place: Path) -> None:
    paths = {"sourcePath": str(place / "tree"), "targetPath": str(place / "copy")}
    task = v1.ended(v1.post("/storage/xfer-internal/cp", **paths, time="00:05:00", stageOutJobId="7"))
    script = Path(task["data"]["job_file"]).read_text()
    assert "#SBATCH --time=00:05:00\n" in script
    assert "#SBATCH --dependency=afterok:7\n" in script
