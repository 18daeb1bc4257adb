"""Translation of local paths in a text, which is fed in pieces and may have any size.

The end of a piece may cut a path, so a limited number of characters is held back until the next piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reframe_firecrest.model.file_names import from_wire
from reframe_firecrest.staging.local_sources import SourceFiles

HELD_BACK = 8192
"""Characters held back at the end of a piece; Linux limits paths to 4096 bytes (PATH_MAX)."""

LOOK_BACK = 200
"""Characters before a path that are examined to find out whether it is the start of a path."""

_STOPS = r"\s'\":;,|&<>()$`"
_PATH = re.compile(rf"(?:/[^/{_STOPS}]+)*")
_UNSURE = re.compile(r"[*?\[{\\]")
"""Characters that make a name a pattern, which the job expands when it runs."""

_PATH_TAIL = re.compile(r"[\w.+~/@-]*\Z")
_END_OF_A_WORD = "})]*?"
"""Characters after which a slash continues a path, as in ``${HOME}/x``, ``$(pwd)/x`` or ``*/x``."""
_MORE_OF_A_NAME = re.compile(r"[\w.+~@-]")
_URL = re.compile(r"(?<![\w.+-])[A-Za-z][A-Za-z0-9+.-]*:\Z")
_AUTHORITY = re.compile(r"//(?:localhost|/*)\Z")


@dataclass(frozen=True)
class Rules:
    """Rules of a translation.

    Attributes:
        roots: local directories, by their spelling in texts.
        remote: returns the remote path of a root, from the root and the names that follow it.
        local: returns the local directory that must be on the system for a path, from the root and the names
            that follow it; None if no directory is needed.
        spelling: canonical spelling of roots with several spellings.
        sources: roots that are directories of the tests' code; paths below them are translated only if their
            files are sent.
        files: returns the files to send for a path, from such a root and the names that follow it.
    """

    roots: Mapping[str, str]
    remote: Callable[[str, Sequence[str]], str]
    local: Callable[[str, Sequence[str]], str | None]
    spelling: Mapping[str, str]
    sources: frozenset[str] = frozenset()
    files: Callable[[str, Sequence[str]], SourceFiles | None] = lambda _root, _names: None


@dataclass
class Translation:
    """Translation of one text, piece by piece.

    Attributes:
        rules: the rules.
        named: local directories that the text names and that must therefore be on the system.
        paths: local paths that the text names, up to the first part that the job expands.
        sources: files of the tests' code that must be on the system.
        left: number of paths that name a root but were left as they are.
    """

    rules: Rules
    named: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    sources: set[SourceFiles] = field(default_factory=set)
    left: int = 0
    _text: str = ""
    _at: int = 0

    def __post_init__(self) -> None:
        self._pattern = any_of(self.rules.roots)

    def feed(self, piece: str) -> str:
        """Translate a piece; return the translated text up to the part that is held back."""
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
            self.left += root not in self.rules.sources
            return match.group()
        below = _names_at(text, end)
        certain = [from_wire(name) for name in _certain(text, end)]
        if root in self.rules.sources:
            return self._source(match.group(), root, certain)
        directory = self.rules.local(root, below)
        if directory is not None:
            self.named.add(directory)
        self.paths.add("/".join([self.rules.spelling.get(root, root), *certain]))
        return self.rules.remote(root, below)

    def _source(self, spelling: str, root: str, names: Sequence[str]) -> str:
        files = self.rules.files(root, names)
        if files is None:
            return spelling
        self.sources.add(files)
        return self.rules.remote(root, names)


def any_of(roots: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that matches any root; longer roots first, because one may contain another."""
    return re.compile("|".join(re.escape(root) for root in sorted(roots, key=len, reverse=True)))


def _names_at(text: str, at: int) -> list[str]:
    found = _PATH.match(text, at)
    return found.group().split("/")[1:] if found else []


def _certain(text: str, at: int) -> list[str]:
    """Return the names of a path up to the first one that the job expands when it runs."""
    names = _names_at(text, at)
    end = at + sum(len(name) + 1 for name in names)
    if text[end : end + 1] in ("$", "`") and names:
        names.pop()
    unsure = next((number for number, name in enumerate(names) if _UNSURE.search(name)), len(names))
    return names[:unsure]


def is_path_start(text: str, start: int) -> bool:
    """Return whether a position is the start of a path, and not in the middle of a longer one."""
    before = text[max(0, start - LOOK_BACK) : start]
    found = _PATH_TAIL.search(before)
    tail = found.group() if found else ""
    ahead = before.removesuffix(tail)
    if tail.strip("@") == "" and len(tail) <= 1:
        # A single @ introduces a response file, as in @/path; the tail would include a name before it.
        return not ahead or ahead[-1] not in _END_OF_A_WORD
    if _AUTHORITY.match(tail):
        return _URL.search(ahead) is not None
    # A flag may precede its path directly, as in -I/path; any other word makes it part of another path.
    return tail.startswith("-") and "/" not in tail


def names_path(named: str, path: str) -> bool:
    """Return whether a path that a text names is, may be, or contains another path.

    Args:
        named: path in the text; a character that ends a path in a text may also be part of a name.
        path: the other path.
    """
    rest = path.removeprefix(named) if path.startswith(named) else None
    return rest is not None and (not rest or re.match(rf"[/{_STOPS}]", rest) is not None)
