"""Names for the attempts to write one remote file.

An attempt whose answer is lost may act late. Under a name of its own it can neither truncate nor rewrite what
a later attempt has written and others are reading.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterator


def attempts(path: str) -> Iterator[str]:
    """Yield a remote path, and then without end others like it in the same directory."""
    stem, suffix = posixpath.splitext(path)
    yield path
    for number in itertools.count(2):
        yield f"{stem}-{number}{suffix}"
