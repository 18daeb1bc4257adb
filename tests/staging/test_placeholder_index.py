"""Any process recognises a placeholder: on disk, also as root, also in a copy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reframe_firecrest.staging.manifest import Kind, scan
from reframe_firecrest.staging.placeholder import create_placeholder, place_closed_directory
from reframe_firecrest.staging.placeholder_index import INDEX, MARK, Index
from tests.conftest import PROJECT

REASON = "an 'exclude' pattern names it"

OTHER_PROCESS = """
import json, sys
from reframe_firecrest.staging import read_guard
from reframe_firecrest.staging.manifest import scan
read_guard.arm()
found = {path: [entry.kind.value, entry.target] for path, entry in scan(sys.argv[1]).items()}
def attempt(read):
    try:
        read()
    except PermissionError as error:
        return str(error)
    return "read"
import os
reads = {
    path: attempt(lambda: os.listdir(f"{sys.argv[1]}/{path}") if os.path.isdir(f"{sys.argv[1]}/{path}")
                  else open(f"{sys.argv[1]}/{path}").close())
    for path in found
}
print(json.dumps([found, reads]))
"""


def elsewhere(directory: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return what another process finds in a directory, and what its attempts to read it come to."""
    answer = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, str(directory)],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    found, reads = json.loads(answer.stdout)
    return found, reads


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    made = tmp_path / "stage"
    made.mkdir()
    for name, size in {"deep/solver.log": 390, "tiny": 3, "empty": 0, "image": 1 << 40}.items():
        create_placeholder(str(made), name, size, REASON)
    (made / "real").write_text("data")
    return made


def test_another_process_neither_sends_nor_reads_them(stage: Path) -> None:
    found, reads = elsewhere(stage)
    kinds = {path: kind for path, (kind, _) in found.items()}
    names = ("deep/solver.log", "tiny", "empty", "image")
    assert kinds == {"deep": "directory", "real": "file", **dict.fromkeys(names, "placeholder")}
    assert [found[name][1] for name in names] == [REASON] * 4
    for name in names:
        assert "left on the system: an 'exclude' pattern names it" in reads[name]
    assert reads["real"] == "read"


def test_they_show_their_size_and_take_no_room(stage: Path) -> None:
    assert (stage / "image").stat().st_size == 1 << 40
    assert (stage / "image").stat().st_blocks * 512 < 1 << 20
    assert (stage / "tiny").stat().st_size == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can copy what has no permissions")
@pytest.mark.parametrize("command", [["cp", "-r"], ["cp", "-a"], ["rsync", "-a"]], ids=" ".join)
def test_a_copy_is_recognised(stage: Path, tmp_path: Path, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    (stage / "image").unlink()
    own = tmp_path / "own"
    own.mkdir()
    subprocess.run([*command, str(stage), str(own / "copy")], check=True)
    copy = next(own.rglob("solver.log")).parent.parent
    for index in own.rglob(INDEX):
        index.unlink()
    found, reads = elsewhere(own)
    for name in ("deep/solver.log", "tiny"):
        path = str((copy / name).relative_to(own))
        assert found[path][0] == "placeholder"
        assert "left on the system" in reads[path]


def test_an_index_goes_with_a_copied_directory(stage: Path, tmp_path: Path) -> None:
    (stage / "image").unlink()
    own = tmp_path / "own"
    own.mkdir()
    (own / "copy").mkdir()
    # Like a copy that keeps times but not permissions, also if root makes it.
    (own / "copy/tiny").write_bytes(b"\0\0\0")
    os.utime(own / "copy/tiny", ns=(0, (stage / "tiny").stat().st_mtime_ns))
    shutil.copyfile(stage / INDEX, own / "copy" / INDEX)
    assert scan(str(own))["copy/tiny"].kind is Kind.PLACEHOLDER


def test_what_is_put_in_their_place_is_data(stage: Path) -> None:
    for name in ("deep/solver.log", "tiny"):
        (stage / name).unlink()
        (stage / name).write_text("new")
    found, reads = elsewhere(stage)
    for name in ("deep/solver.log", "tiny"):
        assert found[name][0] == "file"
        assert reads[name] == "read"


def test_a_file_of_zeros_is_none(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(b"\0" * 39)
    (tmp_path / "closed").write_bytes(b"abc")
    (tmp_path / "closed").chmod(0)
    if os.geteuid() == 0:
        found, reads = elsewhere(tmp_path)
        assert {kind for kind, _ in found.values()} == {"file"}
        assert set(reads.values()) == {"read"}
    assert scan(str(tmp_path))["zeros"].kind is Kind.FILE


def test_a_directory_whose_entries_are_not_known_is_one(tmp_path: Path) -> None:
    place_closed_directory(str(tmp_path), "closed", "it can't be listed")
    found, reads = elsewhere(tmp_path)
    assert found == {"closed": ["placeholder", "it can't be listed"]}
    assert "this directory was left on the system: it can't be listed" in reads["closed"]
    # What clears up may do so.
    shutil.rmtree(tmp_path / "closed")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"placeholders": {"tiny": 3}}', '{"placeholders": [1]}'])
def test_a_broken_index_is_none(stage: Path, text: str) -> None:
    (stage / INDEX).write_text(text)
    assert scan(str(stage))["real"].kind is Kind.FILE
    if os.geteuid() == 0:
        # Its own content is enough where there is room.
        assert scan(str(stage))["deep/solver.log"].kind is Kind.PLACEHOLDER


def test_an_index_that_names_nothing_any_more_is_removed(stage: Path) -> None:
    index = Index(str(stage))
    index.forget(["deep/solver.log", "tiny", "empty", "image"])
    index.save()
    assert not (stage / INDEX).exists()


def test_the_mark_is_what_other_versions_look_for() -> None:
    assert MARK == b"reframe-firecrest placeholder 1\n"
