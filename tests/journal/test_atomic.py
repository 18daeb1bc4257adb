"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.journal.atomic import atomic_write


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("old")
    atomic_write(file, "new ü")
    assert file.read_text(encoding="utf-8") == "new ü"
    assert list(tmp_path.iterdir()) == [file]


def test_what_was_there_stays_if_the_new_one_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "page.html"
    file.write_text("old")

    def fill_the_disk(path: Path, text: str, encoding: str) -> None:
        with path.open("w") as half:
            half.write(text[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(file, "new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
