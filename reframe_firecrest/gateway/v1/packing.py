"""What to pack where an archive holds a file or a whole directory: FirecREST v1 packs one path at a time.

Each archive costs two requests, one to pack and one to download it, and what it holds besides costs time.
So a directory is packed as a whole where that is no dearer than packing its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reframe_firecrest.gateway.v1.paths import is_packable

ARCHIVE = 512 * 1024
"""Bytes whose way takes about as long as the two requests for one more archive."""

IMPOSSIBLE = 1 << 60
"""Bytes that stand for what can't be done."""


@dataclass
class _Node:
    """A file or a directory.

    Attributes:
        size: bytes below it that nobody wants; of a wanted file none.
        cheapest: what it takes to have all that is wanted below it.
        sources: what has to be packed for that.
    """

    children: dict[str, _Node] = field(default_factory=dict)
    wanted: bool = False
    size: int = 0
    cheapest: int = 0
    sources: list[str] = field(default_factory=list)


def sources_for(files: Iterable[str], sizes: Mapping[str, int], whole: Iterable[str] = ()) -> list[str]:
    """Return paths to pack that together hold all files and cost least.

    A file that the gateway can not pack goes along with the directory that it is in.

    Args:
        files: what is wanted, relative to a directory.
        sizes: bytes of the files that are known to be there, wanted ones among them.
        whole: directories whose content is known; others are not packed as a whole.
    """
    root = _Node()
    for path, size in sizes.items():
        _node_at(root, path).size = size
    for path in files:
        node = _node_at(root, path)
        node.wanted, node.size = True, 0
    _plan(root, "", set(whole))
    return root.sources


def _node_at(root: _Node, path: str) -> _Node:
    node = root
    for name in path.split("/"):
        node = node.children.setdefault(name, _Node())
    return node


def _plan(node: _Node, path: str, whole: set[str]) -> None:
    if not node.children:
        if node.wanted:
            node.cheapest, node.sources = ARCHIVE if is_packable(path) else IMPOSSIBLE, [path]
        return
    for name, child in node.children.items():
        _plan(child, f"{path}/{name}" if path else name, whole)
    node.size = sum(child.size for child in node.children.values())
    node.cheapest = sum(child.cheapest for child in node.children.values())
    node.sources = [source for child in node.children.values() for source in child.sources]
    if path in whole and is_packable(path) and node.sources and ARCHIVE + node.size <= node.cheapest:
        node.cheapest, node.sources = ARCHIVE + node.size, [path]


def parts_of(source: str, files: Iterable[str]) -> list[str]:
    """Return smaller paths to pack instead of one: what lies directly in it; nothing if it is a file.

    Args:
        source: what could not be packed.
        files: what is wanted.
    """
    below = [path.removeprefix(f"{source}/") for path in files if path.startswith(f"{source}/")]
    return list(dict.fromkeys(f"{source}/{path.partition('/')[0]}" for path in below))
