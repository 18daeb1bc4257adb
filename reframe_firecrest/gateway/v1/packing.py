"""Choice of the paths to pack: FirecREST v1 packs one file or directory into an archive.

Each archive costs two requests, one to pack and one to download it; unneeded files in it cost time. A
directory is packed as a whole if that costs no more than packing its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reframe_firecrest.gateway.v1.paths import is_packable

ARCHIVE = 512 * 1024
"""Bytes whose transfer takes about as long as the two requests for another archive."""

IMPOSSIBLE = 1 << 60
"""Cost in bytes of a path that cannot be packed."""


@dataclass
class _Node:
    """A file or a directory.

    Attributes:
        wanted: the file is requested.
        size: bytes of the files below it that are not requested.
        cheapest: least cost of all requested files below it, in bytes.
        sources: paths to pack for that cost.
    """

    children: dict[str, _Node] = field(default_factory=dict)
    wanted: bool = False
    size: int = 0
    cheapest: int = 0
    sources: list[str] = field(default_factory=list)


def sources_for(files: Iterable[str], sizes: Mapping[str, int], whole: Iterable[str] = ()) -> list[str]:
    """Return the paths to pack that contain all files at the least cost.

    A file that the gateway cannot pack is packed with its directory.

    Args:
        files: the requested files, relative to a directory.
        sizes: bytes of all known files.
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
    """Return the requested entries of a directory, to pack instead of it; none if it is a file.

    Args:
        source: the path that could not be packed.
        files: the requested files.
    """
    below = [path.removeprefix(f"{source}/") for path in files if path.startswith(f"{source}/")]
    return list(dict.fromkeys(f"{source}/{path.partition('/')[0]}" for path in below))
