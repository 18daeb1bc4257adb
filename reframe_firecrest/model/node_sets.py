"""Node sets in Slurm's notation, such as ``nid[001-003,007],login1``. Pure functions.

The grammar is that of Slurm's host lists. ClusterShell reads them too, but it also accepts blanks, signs,
non-ASCII digits, steps, wildcards and the names of node groups, for which it runs commands.
Source: scontrol(1), "show hostnames".
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator

MOST_NODES = 100_000
"""Nodes that a set may have: ten times as many as the largest systems."""

LONGEST_NAME = 255
"""Characters of a host name; see hostname(7)."""

LONGEST_SET = 1_000_000
"""Characters of a node set."""

LONGEST_NUMBER = 15
"""Digits of a number between brackets."""

_TOO_MANY = f"it has more than {MOST_NODES} nodes"
_RANGE = f"[0-9]{{1,{LONGEST_NUMBER}}}(?:-[0-9]{{1,{LONGEST_NUMBER}}})?"
_NUMBERS = re.compile(f"{_RANGE}(?:,{_RANGE})*")
_TOKEN = re.compile(rf"(?P<text>[A-Za-z0-9._-]+)|(?P<comma>,)|\[(?P<numbers>{_RANGE}(?:,{_RANGE})*)\]")
_DIGITS = re.compile(r"([0-9]+)")


class _Numbers:
    """The numbers between two brackets.

    Attributes:
        count: of the numbers.
    """

    def __init__(self, text: str) -> None:
        self._ranges: list[tuple[int, int, int]] = []
        self.count = 0
        for item in text.split(","):
            first, _, last = item.partition("-")
            last = last or first
            padded = any(number.startswith("0") and len(number) > 1 for number in (first, last))
            if int(last) < int(first) or (padded and len(first) != len(last)):
                raise ValueError(f"{item} is not a range")
            self._ranges.append((int(first), int(last), len(first) if padded else 0))
            self.count += int(last) - int(first) + 1
            if self.count > MOST_NODES:
                raise ValueError(_TOO_MANY)

    def __iter__(self) -> Iterator[str]:
        for first, last, width in self._ranges:
            yield from (f"{number:0{width}}" for number in range(first, last + 1))


_Name = list["str | _Numbers"]


def check_node_set(nodes: str) -> None:
    """Check a node set without expanding it.

    Raises:
        ValueError: it is not a node set, or has too many nodes.
    """
    _parse(nodes)


def expand_nodes(nodes: str) -> list[str]:
    """Expand a node set into names, each once, in order.

    Raises:
        ValueError: it is not a node set, or has too many nodes.
    """
    names = {
        "".join(parts)
        for name in _parse(nodes)
        for parts in itertools.product(*([part] if isinstance(part, str) else part for part in name))
    }
    return sorted(names, key=_natural)


def numbers_in(text: str) -> set[int]:
    """Return the numbers that a text such as ``0-3,8`` lists, as Linux does for processors.

    Raises:
        ValueError: it is not such a list, or has too many numbers.
    """
    if len(text) > LONGEST_SET or not _NUMBERS.fullmatch(text):
        raise ValueError("not a list of numbers")
    return {int(number) for number in _Numbers(text)}


def _natural(name: str) -> list[tuple[int, str]]:
    # Text and numbers alternate, so that text is compared with text and numbers with numbers.
    return [(int(part) if number % 2 else 0, part) for number, part in enumerate(_DIGITS.split(name))]


def _parse(nodes: str) -> list[_Name]:
    try:
        return _names(nodes) if nodes else []
    except ValueError as error:
        raise ValueError(f"{nodes[:80]!r} is not a node set: {error}") from None


def _names(nodes: str) -> list[_Name]:
    if len(nodes) > LONGEST_SET:
        raise ValueError(f"it has more than {LONGEST_SET} characters")
    names: list[_Name] = [[]]
    total = at = 0
    while at < len(nodes):
        found = _TOKEN.match(nodes, at)
        if found is None:
            raise ValueError(f"character {at + 1} is not part of one")
        at = found.end()
        if not found["comma"]:
            names[-1].append(found["text"] or _Numbers(found["numbers"]))
        if found["comma"] or at == len(nodes):
            total += _count(names[-1])
            if total > MOST_NODES:
                raise ValueError(_TOO_MANY)
        if found["comma"]:
            names.append([])
    if not names[-1]:
        raise ValueError("a name is missing")
    return names


def _count(name: _Name) -> int:
    """Return the number of nodes that a name with ranges stands for.

    Raises:
        ValueError: it is not a name.
    """
    if not name:
        raise ValueError("a name is missing")
    if isinstance(name[0], str) and name[0].startswith("-"):
        # Commands would read it as an option.
        raise ValueError("a name begins with '-'")
    if sum(len(part) if isinstance(part, str) else LONGEST_NUMBER for part in name) > LONGEST_NAME:
        raise ValueError("a name is too long")
    return math.prod(part.count for part in name if isinstance(part, _Numbers))
