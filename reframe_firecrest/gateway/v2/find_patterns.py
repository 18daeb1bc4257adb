r"""Regular expressions with which a remote `find` selects files.

The gateway runs ``find . -type f -regex '<pattern>'`` inside a double-quoted shell string, so a pattern must
not contain quotes, ``$``, backticks or backslashes, except for the ``\(``, ``\|`` and ``\)`` of the Emacs
syntax. Every other special character is replaced by ``.``, which matches little else, or a newline by
``[^/]``, since ``.`` does not match it. Files that are selected in excess are ignored on unpacking. No
pattern selects names that are not valid text in the remote locale.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

MAX_PATTERN = 60_000
"""Bytes; Linux accepts 131,072 for a single argument of a command."""

_SPECIAL = re.compile(r"[^\x00-\x7f]+|[^A-Za-z0-9_/=@%,:-]")


def _literal(text: str) -> str:
    return _SPECIAL.sub(_wildcard, text)


def _wildcard(found: re.Match[str]) -> str:
    if not found.group().isascii():
        # In the C locale, one character is several bytes.
        return "[^/]*"
    return "[^/]" if found.group() == "\n" else "."


def in_patterns(paths: Sequence[str], limit: int = MAX_PATTERN) -> list[Sequence[str]]:
    """Divide paths into parts that one pattern each can select.

    Args:
        paths: regular files, relative to the directory in which `find` starts.
        limit: maximum bytes of one pattern.
    """
    if len(paths) < 2 or len(patterns(paths, limit)) == 1:
        return [paths] if paths else []
    middle = len(paths) // 2
    return [*in_patterns(paths[:middle], limit), *in_patterns(paths[middle:], limit)]


def is_exact(path: str) -> bool:
    """Report whether the pattern of a path selects hardly any other."""
    return _SPECIAL.search(path.replace(".", "")) is None


def patterns(paths: Iterable[str], limit: int = MAX_PATTERN) -> list[str]:
    """Return patterns that together select all paths.

    Args:
        paths: regular files, relative to the directory in which `find` starts.
        limit: maximum bytes of one pattern.
    """
    by_directory: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        directory, _, name = path.rpartition("/")
        by_directory[f"{directory}/" if directory else ""].append(_literal(name))
    found: list[str] = []
    current: list[str] = []
    size = 0
    for directory, names in by_directory.items():
        prefix = "./" + _literal(directory)
        for chunk in _chunks(names, limit - len(prefix) - 16):
            alternative = prefix + (chunk[0] if len(chunk) == 1 else r"\(" + r"\|".join(chunk) + r"\)")
            if current and size + len(alternative) + 2 > limit:
                found.append(r"\|".join(current))
                current, size = [], 0
            current.append(alternative)
            size += len(alternative) + 2
    if current:
        found.append(r"\|".join(current))
    return found


def _chunks(names: list[str], limit: int) -> Iterable[list[str]]:
    chunk: list[str] = []
    size = 0
    for name in names:
        if chunk and size + len(name) + 2 > limit:
            yield chunk
            chunk, size = [], 0
        chunk.append(name)
        size += len(name) + 2
    if chunk:
        yield chunk
