"""Translation of local paths in texts of any size. Pure functions of what they are fed.

A text comes in pieces, and what is kept of it is bounded: a path may be cut by the end of a piece, so the end
is held back until more has come.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reframe_firecrest.model.file_names import from_wire

HELD_BACK = 8192
"""Characters at the end of a piece that wait for the next one; Linux takes paths of 4096 bytes at most."""

LOOK_BACK = 200
"""Characters before a path that decide whether it is a path of its own."""

_STOPS = r"\s'\":;,|&<>()$`"
_PATH = re.compile(rf"(?:/[^/{_STOPS}]+)*")
_UNSURE = re.compile(r"[*?\[{\\]")
"""What makes a name a pattern: which file is meant shows when the job runs."""

_PATH_TAIL = re.compile(r"[\w.+~/@-]*\Z")
_END_OF_A_WORD = "})]*?"
"""After one of these a path goes on, as in ``${HOME}/x``, ``$(pwd)/x`` or ``*/x``."""
_MORE_OF_A_NAME = re.compile(r"[\w.+~@-]")
_URL = re.compile(r"(?<![\w.+-])[A-Za-z][A-Za-z0-9+.-]*:\Z")
_AUTHORITY = re.compile(r"//(?:localhost|/*)\Z")


@dataclass(frozen=True)
class Rules:
    """What is replaced by what.

    Attributes:
        roots: local directories, by how texts spell them.
        remote: returns the remote path of a root, given the root and the names that follow it.
        local: returns the local directory that has to be on the system for a root to be used, None for none.
        spelling: the one spelling of each root that stands for all.
    """

    roots: Mapping[str, str]
    remote: Callable[[str, Sequence[str]], str]
    local: Callable[[str, Sequence[str]], str | None]
    spelling: Mapping[str, str]


@dataclass
class Translation:
    """Replaces local paths by remote ones, piece by piece.

    Attributes:
        rules: what is replaced by what.
        named: local directories that the text names and that have to be on the system for it.
        paths: local paths that the text names, as far as they are certain.
        left: how many paths were left as they are although they name a root.
    """

    rules: Rules
    named: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    left: int = 0
    _text: str = ""
    _at: int = 0

    def __post_init__(self) -> None:
        self._pattern = any_of(self.rules.roots)

    def feed(self, piece: str) -> str:
        """Take a piece; return what is certain of the translated text by now."""
        self._text += piece
        return self._advance(len(self._text) - HELD_BACK)

    def finish(self) -> str:
        """Return the rest of the translated text."""
        return self._advance(len(self._text))

    def _advance(self, until: int) -> str:
        out = []
        at = self._at
        while at < until and (match := self._pattern.search(self._text, at)) and match.start() < until:
            out += [self._text[at : match.start()], self._replacement(match)]
            at = match.end()
        if at < until:
            out.append(self._text[at:until])
            at = until
        kept = max(0, at - LOOK_BACK)
        self._text, self._at = self._text[kept:], at - kept
        return "".join(out)

    def _replacement(self, match: re.Match[str]) -> str:
        root, text, end = self.rules.roots[match.group()], self._text, match.end()
        if _MORE_OF_A_NAME.match(text, end):
            return match.group()
        if not is_path_start(text, match.start()):
            self.left += 1
            return match.group()
        below = _names_at(text, end)
        directory = self.rules.local(root, below)
        if directory is not None:
            self.named.add(directory)
        certain = [from_wire(name) for name in _certain(text, end)]
        self.paths.add("/".join([self.rules.spelling.get(root, root), *certain]))
        return self.rules.remote(root, below)


def any_of(roots: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of any of the roots, the longest first: one may lie in another."""
    return re.compile("|".join(re.escape(root) for root in sorted(roots, key=len, reverse=True)))


def _names_at(text: str, at: int) -> list[str]:
    found = _PATH.match(text, at)
    return found.group().split("/")[1:] if found else []


def _certain(text: str, at: int) -> list[str]:
    """Return the names of a path up to the first that the job decides on when it runs."""
    names = _names_at(text, at)
    end = at + sum(len(name) + 1 for name in names)
    if text[end : end + 1] in ("$", "`") and names:
        names.pop()
    unsure = next((number for number, name in enumerate(names) if _UNSURE.search(name)), len(names))
    return names[:unsure]


def is_path_start(text: str, start: int) -> bool:
    """Tell whether a path that begins at a place is one of its own and not a piece of a longer one."""
    before = text[max(0, start - LOOK_BACK) : start]
    found = _PATH_TAIL.search(before)
    tail = found.group() if found else ""
    ahead = before.removesuffix(tail)
    if tail.strip("@") == "" and len(tail) <= 1:
        # An @ alone marks a file of options, as in @/path; a name before it would be in the tail as well.
        return not ahead or ahead[-1] not in _END_OF_A_WORD
    if _AUTHORITY.match(tail):
        return _URL.search(ahead) is not None
    # A flag may stick to its path, as in -I/path; any other word before it makes it part of another path.
    return tail.startswith("-") and "/" not in tail


def names_path(named: str, path: str) -> bool:
    """Tell whether a path that a text names is another one, or may be, or holds it.

    Args:
        named: as far as it is certain; what ends a path in a text may as well belong to its name.
        path: the other one.
    """
    rest = path.removeprefix(named) if path.startswith(named) else None
    return rest is not None and (not rest or re.match(rf"[/{_STOPS}]", rest) is not None)
