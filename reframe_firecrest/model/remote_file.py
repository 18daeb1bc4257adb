"""Files and archives on the system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class FileKind(str, Enum):
    """Kind of a directory entry, by the first character that ``ls -l`` prints."""

    FILE = "-"
    DIRECTORY = "d"
    LINK = "l"
    OTHER = "?"


@dataclass(frozen=True)
class RemoteFile:
    """One entry of a listing.

    Attributes:
        path: relative to the listed directory.
        size: bytes.
        mtime: modification time as the gateway prints it, to the second; only compared for equality
            and order, never with a local clock.
        target: of a symbolic link.
        permissions: as ``ls`` prints them, such as ``rw-r-----``; empty if they are unknown.
        owner: name or number of the owner; empty if it is unknown.
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
        path: of the archive, absolute.
        below: directory to which the names in it are relative, itself relative to the packed directory.
        refused: files that could not be packed, with the reasons; none of the archives that were made
            together with this one contains them.
    """

    path: str
    below: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
