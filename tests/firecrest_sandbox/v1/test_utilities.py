"""Quick operations: what they leave behind, their limits and their refusals."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.firecrest_sandbox.v1.conftest import V1

Start = Any


def test_an_archive_that_took_too_long_is_left_in_part(start_v1: Start) -> None:
    v1 = start_v1(operation_timeout=0.5)
    with (v1.home / "sparse").open("wb") as sparse:
        sparse.truncate(200 * 1024**3)
    archive = v1.home / "sparse.tgz"
    answer = v1.post("/utilities/compress", sourcePath=str(v1.home / "sparse"), targetPath=str(archive))
    assert answer.status_code == 400
    assert answer.headers["X-Timeout"] == "Command has finished with timeout signal"
    assert archive.exists()
    with pytest.raises((EOFError, tarfile.TarError)), tarfile.open(archive) as partial:
        partial.extractall(v1.home / "nowhere", filter="data")


def test_an_archive_of_nothing_is_left_too(v1: V1) -> None:
    archive = v1.home / "nothing.tgz"
    answer = v1.post("/utilities/compress", sourcePath=str(v1.home / "none"), targetPath=str(archive))
    assert (answer.status_code, archive.exists()) == (400, True)


def test_an_archive_is_unpacked_by_its_name_or_as_told(v1: V1) -> None:
    (v1.home / "tree").mkdir()
    (v1.home / "tree" / "file").write_text("content")
    with tarfile.open(v1.home / "noext", "w:gz") as archive:
        archive.add(v1.home / "tree", "tree")
    (v1.home / "unpacked").mkdir()
    paths = {"sourcePath": str(v1.home / "noext"), "targetPath": str(v1.home / "unpacked")}
    refused = v1.post("/utilities/extract", **paths)
    assert refused.json()["error"] == f"Unsupported file format in {v1.home}/noext."
    assert v1.post("/utilities/extract", **paths, type=".gz").status_code == 201
    assert (v1.home / "unpacked" / "tree" / "file").read_text() == "content"


def test_a_whole_upload_has_to_fit(start_v1: Start) -> None:
    v1 = start_v1(max_ops_file_size=10_000)
    assert v1.upload("fits", b"x" * 9_000).status_code == 201
    answer = v1.upload("exactly", b"x" * 10_000)
    assert answer.status_code == 413
    assert answer.json() == {"description": "Failed to upload file. The file is over 10000 bytes"}
    assert not (v1.home / "exactly").exists()
    parameters = v1.get("/status/parameters").json()["out"]["utilities"]
    assert float(parameters[0]["value"]) * 1024**2 == pytest.approx(10_000)


def test_a_download_has_to_fit_as_base64(start_v1: Start) -> None:
    v1 = start_v1(output_limit=4_000)
    (v1.home / "file").write_bytes(bytes(3_001))
    answer = v1.get("/utilities/download", sourcePath=str(v1.home / "file"))
    assert answer.headers["X-Error"] == "Command output exceeded buffer limit (4000)"
    (v1.home / "file").write_bytes(bytes(3_000))
    assert v1.get("/utilities/download", sourcePath=str(v1.home / "file")).content == bytes(3_000)


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("a.txt", "filename=a.txt"),
        ("a b", 'filename="a b"'),
        ("ü.txt", "filename=u.txt; filename*=UTF-8''%C3%BC.txt"),
    ],
)
def test_a_download_names_its_file(v1: V1, name: str, reported: str) -> None:
    (v1.home / name).write_bytes(b"x")
    answer = v1.get("/utilities/download", sourcePath=str(v1.home / name))
    assert answer.headers["Content-Disposition"] == f"attachment; {reported}"


@pytest.mark.parametrize("character", list("<>|;\"'&\\()`\t\n"))
def test_characters_of_the_shell_are_refused(v1: V1, character: str) -> None:
    path = f"{v1.home}/a{character}b"
    expected = {"description": "Error on ls operation", "error": "'targetPath' has invalid char"}
    assert v1.get("/utilities/ls", targetPath=path).json() == expected
    submitted = v1.post("/compute/jobs/path", targetPath=path)
    assert (submitted.status_code, submitted.json()["error"]) == (400, "'targetPath' has invalid char")


def test_texts_have_to_be_there(v1: V1) -> None:
    assert v1.get("/utilities/ls", targetPath="").json()["error"] == "'targetPath' is empty"
    path = str(v1.home)
    assert v1.put("/utilities/chmod", targetPath=path).json()["error"] == "'mode' not specified"
    assert v1.post("/utilities/symlink", targetPath=path).json() == {
        "description": "Failed to create symlink",
        "error": "'linkPath' value not specified",
    }
    assert v1.put("/utilities/chown", targetPath=path).json() == {
        "description": "Error in chown operation",
        "error": "group or owner must be set",
    }
    assert v1.post("/utilities/upload", targetPath=path).json()["error"] == "No file in query"
    assert v1.put("/utilities/rename", targetPath=path).json()["error"] == "'sourcePath' not specified"


def test_an_unknown_group_is_refused(v1: V1) -> None:
    path = v1.home / "owned"
    path.touch()
    answer = v1.put("/utilities/chown", targetPath=str(path), group="no-such-group")
    assert answer.status_code == 400
    assert answer.headers["X-Invalid-Group"] == "group is an invalid group"
    assert answer.json() == {
        "description": "Error on chown operation",
        "error": "chown: invalid group: ':no-such-group'",
    }


def test_the_owner_can_be_kept(v1: V1) -> None:
    (v1.home / "owned").touch()
    group = v1.sandbox.state.user.group
    answer = v1.put("/utilities/chown", targetPath=str(v1.home / "owned"), group=group)
    assert answer.json()["description"] == "Success to chown file or directory."
    assert str(v1.home / "owned") in answer.json()["output"]


def test_a_presence_of_p_makes_parents(v1: V1) -> None:
    path = v1.home / "p" / "q"
    assert v1.post("/utilities/mkdir", targetPath=str(path), p="").status_code == 201
    assert path.is_dir()


def test_links_are_listed_and_followed(v1: V1) -> None:
    (v1.home / "linked").mkdir()
    (v1.home / "linked" / "file").write_text("12345")
    (v1.home / "linked" / "to").symlink_to("file")
    where = str(v1.home / "linked")
    [_, link] = v1.get("/utilities/ls", targetPath=where).json()["output"]
    assert (link["type"], link["link_target"]) == ("l", "file")
    [_, link] = v1.get("/utilities/ls", targetPath=where, followLinks="true").json()["output"]
    assert (link["type"], link["size"]) == ("-", "5")
    numeric = v1.get("/utilities/ls", targetPath=where, numericUid="1").json()["output"]
    assert {one["user"] for one in numeric} == {str(os.getuid())}


def test_a_file_may_be_asked_for_by_its_other_name(v1: V1) -> None:
    (v1.home / "file").write_text("12345")
    assert v1.get("/utilities/stat", sourcePath=str(v1.home / "file")).json()["output"]["size"] == 5


def test_an_amount_that_is_none_is_a_complaint(v1: V1) -> None:
    (v1.home / "file").write_text("12345")
    answer = v1.get("/utilities/head", targetPath=str(v1.home / "file"), lines="few")
    assert "invalid number of lines" in answer.headers["X-Error"]


def test_a_relative_path_is_refused(v1: V1) -> None:
    answer = v1.get("/utilities/ls", targetPath="here")
    assert answer.status_code == 400
    assert answer.headers["X-Permission-Denied"] == "User does not have permissions to access path"


def test_a_place_outside_the_root_is_refused(v1: V1, tmp_path: Path) -> None:
    answer = v1.get("/utilities/ls", targetPath=str(tmp_path))
    assert answer.json() == {
        "description": "Error on ls operation",
        "error": f"{tmp_path}: Permission denied",
    }
