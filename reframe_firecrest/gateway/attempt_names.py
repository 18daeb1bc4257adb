"""Names of the attempts to write one remote file.

An attempt whose answer is lost may act late. Each attempt has its own name, so a late one neither truncates
nor rewrites the file of a later attempt, which may be in use.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterator


def attempts(path: str) -> Iterator[str]:
    """Yield a remote path, then an endless series of similar paths in the same directory."""
    stem, suffix = posixpath.splitext(path)
    yield path
    for number in itertools.count(2):
        yield f"{stem}-{number}{suffix}"
