"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from reframe_firecrest.model.atomic import KeepTarget, atomic_file, atomic_write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text("old")
    return path


def test_a_file_is_replaced_and_nothing_else_is_left(file: Path) -> None:
    atomic_write(file, "new ü")
    assert file.read_text(encoding="utf-8") == "new ü"
    assert list(file.parent.iterdir()) == [file]


def test_what_was_there_stays_if_the_new_one_can_not_be_written(file: Path) -> None:
    def fill_the_disk() -> None:
        with atomic_file(file) as half:
            half.write(b"ne")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fill_the_disk()
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_what_was_there_stays_if_the_text_can_not_be_encoded(file: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        atomic_write(file, "\ud800")
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_the_target_is_kept_on_request(file: Path) -> None:
    with atomic_file(file) as same:
        same.write(b"old")
        raise KeepTarget
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_nothing_is_left_where_no_file_can_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    with pytest.raises(IsADirectoryError):
        atomic_write(target, "text")
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_in_the_place_is_replaced_and_not_followed(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    atomic_write(link, "new")
    assert not link.is_symlink()
    assert file.read_text() == "old"


@pytest.mark.parametrize(("mode", "expected"), [(0o666, 0o644), (0o600, 0o600)])
def test_the_mode_is_that_of_any_new_file_or_the_one_given(tmp_path: Path, mode: int, expected: int) -> None:
    before = os.umask(0o022)
    try:
        with atomic_file(tmp_path / "new", mode) as file:
            assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == expected
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == expected
