"""Which paths FirecREST v1 takes."""

from __future__ import annotations

import re

from reframe_firecrest import errors

FORBIDDEN = re.compile(r"[<>|;\"'&\\()\x00-\x1f`]")
"""Characters that it refuses in any path, name or id: ``FORBIDDEN_INPUT_CHARS`` in FirecREST v1.16.6's
code."""


def accepted(path: str) -> str:
    """Return a path that FirecREST v1 takes.

    Raises:
        RejectedError: it has a character that is refused.
    """
    found = FORBIDDEN.search(path)
    if found:
        raise errors.RejectedError(f"FirecREST v1 refuses the path {path!r}: it has {found.group()!r} in it")
    return path


def is_accepted(path: str) -> bool:
    """Tell whether FirecREST v1 takes a path."""
    return FORBIDDEN.search(path) is None
