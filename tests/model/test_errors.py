"""An error's text is one line, whatever it names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.model import errors


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain ü", "plain ü"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("caf\udce9", r"caf\udce9"),
        ("", ""),
    ],
)
def test_what_no_terminal_shows_is_escaped(text: str, line: str) -> None:
    assert str(errors.StagingError(text)) == line
    assert str(errors.RejectedError(text, status=400)) == line


@given(st.text(alphabet=st.characters()))
def test_any_text_becomes_one_line_that_can_be_printed(text: str) -> None:
    line = errors.one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    line.encode("utf-8")
