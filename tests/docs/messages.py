"""The messages of the package's errors, read from its code, with an ellipsis for what is filled in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.model import errors

PACKAGE = Path(errors.__file__).parent.parent
GAP = "…"
FRAME = f"{GAP} on {GAP} failed: "


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        where: the file and the line.
        text: with a gap for each thing that is filled in.
    """

    where: str
    text: str


def _sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def texts() -> list[Message]:
    """Return every text in the code."""
    return [
        Message(_where(path, node), template)
        for path, tree in _sources()
        for node in ast.walk(tree)
        if (template := template_of(node))
    ]


def raised() -> list[Message]:
    """Return every text that an error of the tree is made with, and every reason that a setting is wrong."""
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    found = []
    for path, tree in _sources():
        wanted = {*kinds, "ValueError"} if path.parent.name == "settings" else kinds
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args or _called(node) not in wanted:
                continue
            template = template_of(node.args[0])
            # What has no words of its own only puts others together.
            if template and len(re.findall(r"[a-zA-Z']{2,}", template.replace(FRAME, ""))) > 1:
                found.append(Message(_where(path, node), template))
    return found


def _called(call: ast.Call) -> str:
    # A class that was chosen before is called `kind` everywhere.
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return "FinalError" if name == "kind" else name


def template_of(node: ast.AST) -> str | None:
    """Return a text with gaps, None if it is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%(\.\d+)?[sdf]", GAP, node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values]
        return re.sub(f"{GAP}+", GAP, "".join(parts))
    return None


def _where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(PACKAGE.parent)}:{getattr(node, 'lineno', 0)}"
