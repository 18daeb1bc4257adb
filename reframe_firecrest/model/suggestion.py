"""Suggestions for names with a typing error."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most similar to a name, whatever its case; None if none is similar.

    Args:
        name: the unknown name.
        known: the names to choose from.
        cutoff: least similarity, from 0 to 1.
    """
    by_lower_case = {each.lower(): each for each in known}
    similar = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=cutoff)
    return by_lower_case[similar[0]] if similar else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a clause in parentheses that suggests a known name; empty if none is similar."""
    similar = closest(name, known)
    return "" if similar is None else f" (did you mean {similar!r}?)"
