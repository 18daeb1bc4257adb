"""The project's Markdown pages, and the blocks of code in them with what each says about its own testing.

A page or a block says it in an HTML comment, which no reader sees:

    <!-- test: executed -->            at the top of a page: its bash blocks run, in order, in one directory
    <!-- test: executed, sandbox -->   the same, where a sandbox's variables are set
    <!-- test: executed, clone -->     the same, where the project's checks, config and docs are
    <!-- test: skip: REASON -->        before a block: it is not looked at
    <!-- test: checked: REASON -->     before a block of bash on such a page: only its options are checked
    <!-- test: by FILE -->             before a block: that test, which names the page, executes it
    <!-- test: compiled: REASON -->    before a block of Python: it is not run, nor read by ReFrame
    <!-- test: exit CODE -->           before a block that is executed: how it ends, if not with 0
    <!-- test: until FILE -->          before one that goes on beside the others: what there is once it works
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from markdown_it import MarkdownIt

from tests.conftest import PROJECT

PATTERNS = ("*.md", "docs/**/*.md", ".github/**/*.md")
MARK = re.compile(r"<!--\s*test:\s*(.*?)\s*-->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page: the file's path from the project's root.
        line: where it begins, counted from 1.
        language: as the page says; empty if it doesn't.
        text: what stands in it.
        marks: what comments right before it say.
    """

    page: str
    line: int
    language: str
    text: str
    marks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def mark(self, name: str) -> str | None:
        """Return what a mark says behind its name, None if there is no such mark."""
        for mark in self.marks:
            word, _, rest = mark.partition(" ")
            if word.rstrip(":") == name:
                return rest.strip()
        return None

    @property
    def file(self) -> str | None:
        """The name of the file that a first line such as ``# mysite.py`` gives."""
        named = re.match(r"#\s*([\w./-]+\.\w+)\s*$", self.text.partition("\n")[0])
        return named[1] if named else None


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        name: the file's path from the project's root.
        marks: what it says of itself.
        blocks: in their order.
    """

    name: str
    marks: tuple[str, ...] = ()
    blocks: list[Block] = field(default_factory=list)

    @property
    def executed(self) -> bool:
        """Its bash blocks are executed."""
        return any(mark.startswith("executed") for mark in self.marks)

    @property
    def beside_a_sandbox(self) -> bool:
        """A sandbox is running, and the environment has its address."""
        return self._says("sandbox")

    @property
    def in_a_clone(self) -> bool:
        """It is read where the project's own directories are."""
        return self._says("clone")

    def _says(self, word: str) -> bool:
        return any(word in mark.replace(",", " ").split()[1:] for mark in self.marks)


def names() -> list[str]:
    """Return the pages' paths from the project's root."""
    found = {path for pattern in PATTERNS for path in PROJECT.glob(pattern)}
    return sorted(str(path.relative_to(PROJECT)) for path in found)


def read(name: str) -> Page:
    """Read a page."""
    return parse(name, (PROJECT / name).read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Page:
    """Find the blocks and the marks in a page's text."""
    page_marks: list[str] = []
    waiting: list[str] = []
    blocks: list[Block] = []
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "html_block":
            for mark in MARK.findall(token.content):
                (page_marks if mark.startswith("executed") else waiting).append(" ".join(mark.split()))
        elif token.type in {"fence", "code_block"}:
            line = token.map[0] + 1 if token.map else 0
            language = token.info.split()[0] if token.info.strip() else ""
            blocks.append(Block(name, line, language, token.content, tuple(waiting)))
            waiting = []
        elif token.type not in {"list_item_open", "bullet_list_open", "ordered_list_open"} and waiting:
            raise ValueError(f"{name}: no block follows on the mark {waiting[-1]!r}")
    if waiting:
        raise ValueError(f"{name}: no block follows on the mark {waiting[-1]!r}")
    return Page(name, tuple(page_marks), blocks)
