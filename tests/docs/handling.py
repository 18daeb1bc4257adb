"""The handling of a block of code, from its language, its page and its marks."""

from __future__ import annotations

import re
from enum import Enum

from tests.docs.pages import Block, Page


class Handling(Enum):
    """The handling of a block."""

    EXECUTED = "executed"
    COMPARED = "compared with what was printed"
    ELSEWHERE = "executed by a test of its own"
    READ_BY_REFRAME = "read by ReFrame"
    CHECKED = "checked"
    BY_SPHINX = "read by Sphinx"
    EXEMPT = "exempt"


def handling(block: Block, page: Page) -> Handling:
    """Decide what is done with a block.

    Raises:
        ValueError: nothing is known to do.
    """
    if block.mark("skip") is not None:
        if not block.mark("skip"):
            raise ValueError(f"{block}: say why it is skipped")
        return Handling.EXEMPT
    if block.mark("by"):
        return Handling.ELSEWHERE
    if block.language.startswith("{"):
        return Handling.BY_SPHINX
    by_language = {
        "bash": Handling.EXECUTED if page.executed and block.mark("checked") is None else Handling.CHECKED,
        "text": Handling.COMPARED if page.executed else None,
        "python": _of_python(block),
        "json": Handling.CHECKED,
        "yaml": Handling.CHECKED,
    }
    found = by_language.get(block.language)
    if found is None:
        raise ValueError(f"{block}: nothing checks a block of language {block.language!r} on this page")
    return found


def _of_python(block: Block) -> Handling:
    if block.mark("compiled") is not None:
        return Handling.CHECKED
    if is_settings(block) or is_check(block):
        return Handling.READ_BY_REFRAME
    return Handling.CHECKED if is_fragment(block) else Handling.EXECUTED


def is_settings(block: Block) -> bool:
    """Return true for a settings file of ReFrame."""
    return re.search(r"^site_configuration\s*=", block.text, re.MULTILINE) is not None


def is_check(block: Block) -> bool:
    """Return true for a file of checks."""
    return "@rfm.simple_test" in block.text


def is_fragment(block: Block) -> bool:
    """Return true for a part of a settings file: entries of a dictionary."""
    return re.match(r'(#.*\n)*\s*"\w+":', block.text) is not None
