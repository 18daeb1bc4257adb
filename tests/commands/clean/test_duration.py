"""Ages as people write them."""

from __future__ import annotations

import pytest

from reframe_firecrest.commands.clean.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0h", 0), ("90m", 5400), ("12h", 43_200), ("3d", 259_200), ("2w", 1_209_600), (" 1h ", 3600)],
)
def test_ages(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "d", "-1d", "1.5h", "3 days", "1h30m"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 12h or 3d"):
        parse_duration(text)
