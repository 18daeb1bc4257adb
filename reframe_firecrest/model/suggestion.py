"""Suggestions for names with a typing error."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a clause in parentheses that suggests a known name; empty if none is similar.

    Args:
        name: the unknown name.
        known: the names to choose from.
    """
    by_lower_case = {each.lower(): each for each in known}
    similar = get_close_matches(name.lower(), by_lower_case, n=1)
    return f" (did you mean {by_lower_case[similar[0]]!r}?)" if similar else ""
