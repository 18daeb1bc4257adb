"""Reads the recorded exchanges with a real gateway, and compares answers with them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
RECORDINGS = PROJECT.parent / "shared" / "firecrest-api" / "recordings"


@dataclass
class Shape:
    """Values at one path of JSON documents: types, keys and children."""

    types: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    below: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None

    def see(self, value: Any) -> Shape:
        """Add a value."""
        self.types.add({int: "number", float: "number"}.get(type(value), type(value).__name__))
        if isinstance(value, dict):
            self.keys |= value.keys()
            for name, one in value.items():
                self.below.setdefault(name, Shape()).see(one)
        if isinstance(value, list):
            for one in value:
                self.items = (self.items or Shape()).see(one)
        return self

    def unlike(self, other: Shape, place: str = "") -> list[str]:
        """Return the places where the other has types or keys that this hasn't."""
        found = []
        if not other.types <= self.types:
            found.append(f"{place}: {sorted(other.types)} instead of {sorted(self.types)}")
        if other.keys != self.keys and "dict" in other.types:
            found.append(f"{place}: keys {sorted(other.keys ^ self.keys)}")
        for name in other.below.keys() & self.below.keys():
            found += self.below[name].unlike(other.below[name], f"{place}.{name}")
        if self.items is not None and other.items is not None:
            found += self.items.unlike(other.items, f"{place}[]")
        return found


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    content_type: str | None
    authusername: bool
    answer: Any

    @property
    def shape(self) -> Shape:
        """Shape of the answer's body; long bodies were truncated when they were recorded."""
        if isinstance(self.answer, dict) and "_truncated_bytes" in self.answer:
            return Shape().see({"output": ""} if self.content_type == "application/json" else "")
        return Shape().see(self.answer)


def exchanges(name: str) -> list[Exchange]:
    """Return what one recording holds."""
    recording = json.loads((RECORDINGS / f"{name}.json").read_text())
    return [
        Exchange(
            method=one["request"]["method"],
            path=one["request"]["path"],
            query=one["request"]["query"],
            body=one["request"]["body"],
            status=one["response"]["status"],
            content_type=one["response"]["headers"].get("content-type"),
            authusername="f7t-authusername" in one["response"]["headers"],
            answer=one["response"]["body"],
        )
        for one in recording["exchanges"]
    ]


def names() -> list[str]:
    """Return all recordings' names, or none where they aren't there."""
    return sorted(path.stem for path in RECORDINGS.glob("*.json"))
