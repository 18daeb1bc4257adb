from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.staging import manifest
from reframe_firecrest.staging.manifest import Kind, changed, scan


def kinds(directory: Path) -> dict[str, Kind]:
    return {path: entry.kind for path, entry in scan(str(directory)).items()}


def marks(directory: Path) -> dict[str, tuple[object, ...]]:
    return {path: entry.fingerprint for path, entry in scan(str(directory)).items()}


def test_hidden_and_empty_files_and_empty_directories_are_found(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / ".env").write_text("A=1")
    (tmp_path / "empty").touch()
    (tmp_path / "empty_directory").mkdir()
    assert kinds(tmp_path) == {
        ".hidden": Kind.DIRECTORY,
        ".hidden/.env": Kind.FILE,
        "empty": Kind.FILE,
        "empty_directory": Kind.DIRECTORY,
    }


def test_parents_come_before_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "b" / "a").mkdir(parents=True)
    (tmp_path / "b" / "a" / "x").touch()
    assert list(scan(str(tmp_path))) == ["b", "b/a", "b/a/x"]


def test_links_to_files_and_directories_are_followed(tmp_path: Path) -> None:
    outside, stage = tmp_path / "readonly", tmp_path / "stage"
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / "data").write_text("12345")
    stage.mkdir()
    (stage / "file").symlink_to(outside / "sub" / "data")
    (stage / "directory").symlink_to(outside)
    found = scan(str(stage))
    assert found["file"].kind is Kind.FILE
    assert found["file"].size == 5
    assert found["directory/sub/data"].kind is Kind.FILE


def test_two_links_to_one_directory_are_both_followed(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").touch()
    stage.mkdir()
    (stage / "one").symlink_to(tmp_path / "data")
    (stage / "two").symlink_to(tmp_path / "data")
    assert {"one/x", "two/x"} <= set(kinds(stage))


@pytest.mark.parametrize("target", ["{stage}", "{stage}/sub/up", ".."])
def test_a_link_from_outside_to_a_directory_that_contains_it_is_refused_with_the_remedy(
    tmp_path: Path, target: str
) -> None:
    stage = tmp_path / "stage"
    (stage / "sub").mkdir(parents=True)
    (stage / "sub" / "up").symlink_to("..")
    (stage / "loop").symlink_to(target.format(stage=stage))
    with pytest.raises(StagingError, match=r"links back to .* remove the link"):
        scan(str(stage))


@pytest.mark.parametrize(
    ("links", "circles"),
    [
        ({"loop": "."}, ["loop"]),
        ({"a/up": ".."}, ["a/up"]),
        ({"a/b": "../c", "c/d": "../a"}, ["a/b/d", "c/d/b"]),
        ({"a": "b", "b": "a"}, ["a", "b"]),
        ({"self": "self"}, ["self"]),
        ({"long": "n" * 300}, ["long"]),
    ],
)
def test_relative_links_in_a_circle_travel_as_links(
    tmp_path: Path, links: dict[str, str], circles: list[str]
) -> None:
    for name, target in links.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(target)
    found = scan(str(tmp_path))
    assert sorted(path for path, entry in found.items() if entry.kind is Kind.DANGLING) == circles


def test_links_that_multiply_without_end_are_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "MOST_ENTRIES", 5000)
    for level in range(20):
        (tmp_path / str(level)).mkdir()
        for number in range(10):
            (tmp_path / str(level) / f"link{number}").symlink_to(f"../{level + 1}")
    with pytest.raises(StagingError, match="has more than 5000 entries, including those behind links"):
        scan(str(tmp_path))


@pytest.mark.parametrize("target", ["nowhere", "/nowhere/else", "file/below"])
def test_a_dangling_link_travels_as_a_link(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(target)
    entry = scan(str(tmp_path))["link"]
    assert entry.kind is Kind.DANGLING
    assert entry.target == target


def test_pipes_and_sockets_are_passed_over_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    with (
        # A socket's path is limited to about 100 bytes.
        tempfile.TemporaryDirectory(prefix="s") as short,
        socket.socket(socket.AF_UNIX) as listening,
    ):
        listening.bind(f"{short}/socket")
        (tmp_path / "link").symlink_to(f"{short}/socket")
        assert kinds(tmp_path) == {"file": Kind.FILE}


def test_names_that_are_no_text_are_kept_as_they_are(tmp_path: Path) -> None:
    name = b"caf\xe9\n\x01"
    Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_text("x")
    (path,) = scan(str(tmp_path))
    assert os.fsencode(path) == name


def test_executable_bits_are_kept_and_special_ones_are_not(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.touch()
    script.chmod(0o4755)
    assert scan(str(tmp_path))["run.sh"].mode == 0o755


def test_a_directory_that_is_gone_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match="/gone: No such file or directory"):
        scan(str(tmp_path / "gone"))


class TestWhatChanged:
    def test_nothing_travels_twice(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("1")
        (tmp_path / "d").mkdir()
        assert changed(scan(str(tmp_path)), marks(tmp_path)) == {}

    def test_contents_modes_and_kinds_count(self, tmp_path: Path) -> None:
        for name in ("content", "mode", "same", "becomes_directory"):
            (tmp_path / name).write_text("1")
        before = marks(tmp_path)
        (tmp_path / "content").write_text("2")
        os.utime(tmp_path / "content", ns=(0, 1))
        (tmp_path / "mode").chmod(0o755)
        (tmp_path / "becomes_directory").unlink()
        (tmp_path / "becomes_directory").mkdir()
        (tmp_path / "new").touch()
        assert sorted(changed(scan(str(tmp_path)), before)) == [
            "becomes_directory",
            "content",
            "mode",
            "new",
        ]

    def test_a_directory_in_which_a_file_was_made_does_not_travel_for_it(self, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        before = marks(tmp_path)
        (tmp_path / "d" / "new").touch()
        assert list(changed(scan(str(tmp_path)), before)) == ["d/new"]

    def test_a_dangling_link_that_points_elsewhere_travels(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("one")
        before = marks(tmp_path)
        info = (tmp_path / "link").lstat()
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to("two")
        os.utime(tmp_path / "link", ns=(info.st_atime_ns, info.st_mtime_ns), follow_symlinks=False)
        assert list(changed(scan(str(tmp_path)), before)) == ["link"]
