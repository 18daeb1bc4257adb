"""A placeholder exists, but is never read by accident."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reframe_firecrest.model.errors import HostileArchiveError
from reframe_firecrest.staging.placeholder import create_placeholder
from reframe_firecrest.staging.read_guard import forget

REASON = "it has 99 bytes, and 'max_file_size' is 10"


@pytest.fixture
def placeholder_file(tmp_path: Path) -> Path:
    create_placeholder(str(tmp_path), "deep/image", 99, REASON)
    return tmp_path / "deep/image"


def test_it_answers_questions_about_existence_and_size(placeholder_file: Path) -> None:
    assert placeholder_file.is_file()
    assert placeholder_file.stat().st_size == 99


def test_reading_it_fails_and_reports_why(placeholder_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(placeholder_file.parent)
    for opening in (
        placeholder_file.read_bytes,
        lambda: os.open(placeholder_file, os.O_RDONLY),
        lambda: placeholder_file.open("r+"),
        lambda: shutil.copy(placeholder_file, placeholder_file.parent / "copy"),
        lambda: Path("image").read_text(),
        lambda: open(os.fsencode(placeholder_file), "rb"),  # noqa: PTH123, SIM115 - a path of bytes
    ):
        with pytest.raises(PermissionError, match="left on the system: it has 99 bytes"):
            opening()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads whatever it wants")
def test_other_programs_can_not_read_it_either(placeholder_file: Path) -> None:
    assert subprocess.run(["cat", str(placeholder_file)], capture_output=True, check=False).returncode


def test_it_stands_in_for_what_was_sent_too(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("old")
    create_placeholder(str(tmp_path), "state", 3, REASON)
    with pytest.raises(PermissionError):
        (tmp_path / "state").read_text()


def test_the_real_file_can_be_read_again(placeholder_file: Path) -> None:
    placeholder_file.unlink()
    placeholder_file.write_text("real")
    forget(placeholder_file)
    assert placeholder_file.read_text() == "real"


def test_writing_is_not_hindered(placeholder_file: Path) -> None:
    placeholder_file.chmod(0o600)
    with placeholder_file.open("w") as file:
        file.write("new")


def test_it_does_not_leave_the_stage_directory(tmp_path: Path) -> None:
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage/out").symlink_to(tmp_path)
    with pytest.raises(HostileArchiveError):
        create_placeholder(str(tmp_path / "stage"), "out/image", 9, REASON)


def test_no_hook_is_set_where_nothing_stays_there() -> None:
    script = (
        "import sys; set_hooks = []\n"
        "sys.addaudithook = set_hooks.append\n"
        "import reframe_firecrest.staging.placeholder\n"
        "print(len(set_hooks))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "0"
