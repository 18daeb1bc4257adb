"""Paths that FirecREST v1 accepts."""

from __future__ import annotations

import re
from posixpath import basename

from reframe_firecrest.model import errors
from reframe_firecrest.model.file_names import to_wire

FORBIDDEN = re.compile(r"[<>|;\"'&\\()\x00-\x1f`]")
"""Characters that it refuses in paths and names: ``FORBIDDEN_INPUT_CHARS`` in FirecREST v1.16.6's code."""


def accepted(path: str) -> str:
    """Return a path as FirecREST v1 accepts it.

    Raises:
        RejectedError: it contains a forbidden character.
    """
    path = to_wire(path)
    found = FORBIDDEN.search(path)
    if found:
        raise errors.RejectedError(f"FirecREST v1 refuses the path {path!r}: it contains {found.group()!r}")
    return path


def packable(path: str) -> str:
    """Return a path that FirecREST v1 can pack.

    Raises:
        RejectedError: it contains a forbidden character, or ``tar`` would read it as an option.
    """
    if basename(path).startswith("-"):
        raise errors.RejectedError(f"FirecREST v1 can't pack {path!r}: its name begins with '-'")
    return accepted(path)


def is_packable(path: str) -> bool:
    """Report whether FirecREST v1 can pack a path."""
    return FORBIDDEN.search(path) is None and not basename(path).startswith("-")
