"""Files and archives on the system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class FileKind(str, Enum):
    """The kinds of directory entries that matter here."""

    FILE = "-"
    DIRECTORY = "d"
    LINK = "l"
    OTHER = "?"


@dataclass(frozen=True)
class RemoteFile:
    """One entry of a listing.

    Attributes:
        path: relative to the directory that was listed.
        size: bytes.
        mtime: modification time as the gateway prints it, to the second; only compared for equality
            and order, never with a local clock.
        target: where a link points to.
        permissions: as ``ls`` prints them, such as ``rw-r-----``; empty where they are not told.
        owner: name or number of the user who owns it; empty where that is not told.
    """

    path: str
    kind: FileKind
    size: int
    mtime: str
    target: str | None = None
    permissions: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Archive:
    """A gzipped tar archive on the system.

    Attributes:
        path: where it lies.
        below: what the names in it are relative to: a path relative to the directory that was packed from.
        refused: files that could not be packed, with the reasons; they are in none of the archives that were
            made together with this one.
    """

    path: str
    below: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
