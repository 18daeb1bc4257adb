"""The last lines of what a test printed."""

from __future__ import annotations

import os
from pathlib import Path

from reframe_firecrest.commands.report.output_tails import BYTES, LINES, tails_of


def test_only_what_is_there_and_not_empty_is_shown_once(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("fine\n")
    (tmp_path / "err").touch()
    [tail] = tails_of(str(tmp_path), ["out", "err", "gone", "out"])
    assert (tail.name, tail.text, tail.size, tail.cut) == ("out", "fine", 5, False)


def test_many_lines_and_long_ones_are_cut_in_front(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("".join(f"{number}\n" for number in range(200)))
    (tmp_path / "long").write_text("a" * 10_000_000 + "end")
    lines, long = tails_of(str(tmp_path), ["lines", "long"])
    assert lines.text.split("\n") == [str(number) for number in range(200 - LINES, 200)]
    assert long.text == "a" * (BYTES - 3) + "end"
    assert lines.cut
    assert long.cut
    assert long.size == 10_000_003


def test_colours_go_and_other_control_characters_are_written_out(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(
        b"\x1b[1;31mred\x1b[0m\tx\x1b]0;title\x07\n\x00bell\x07 \xff \xe2\x80\xaegnp\n"
    )
    [tail] = tails_of(str(tmp_path), ["out"])
    assert tail.text == "red     x\n\\x00bell\\x07 � \\u202egnp"


def test_nothing_outside_the_stage_directory_is_read(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    stage.mkdir()
    (tmp_path / "secret").write_text("secret")
    (stage / "link").symlink_to(tmp_path / "secret")
    (stage / "directory").mkdir()
    os.mkfifo(stage / "pipe")
    names = ["../secret", str(tmp_path / "secret"), "link", "directory", "pipe", "", "."]
    assert tails_of(str(stage), names) == []
