"""Decides, from a listing, what a job made or changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from reframe_firecrest.gateway.protocol import FileKind, RemoteFile
from reframe_firecrest.staging.pack import HEADER, Sent
from reframe_firecrest.staging.selection import EVERYTHING, Selection

ZONES = 15 * 3600
"""Seconds; no time zone is further from UTC, and listings are in the system's own."""

RECENT = 2
"""Seconds before a listing's newest entry within which a file may be written again unseen."""


@dataclass(frozen=True)
class Listed:
    """How a file stood in an earlier listing.

    Attributes:
        size: bytes.
        mtime: as listed.
        settled: it was old enough that a later change would show.
    """

    size: int
    mtime: str
    settled: bool


Known = Mapping[str, Sent | Listed]
"""What the remote side is known to have, by path relative to the stage directory."""


@dataclass
class Plan:
    """What has to be brought back, by path relative to the stage directory.

    Attributes:
        files: regular files to fetch.
        directories: directories to make, parents first.
        links: links to make, with their targets.
        left: files that stay there, with the reason.
    """

    files: dict[str, RemoteFile] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes to fetch before compression, with what the archive needs to name each entry."""
        return sum(HEADER + file.size for file in self.files.values())


def make_plan(
    listing: Iterable[RemoteFile], known: Known, always: Iterable[str], selection: Selection = EVERYTHING
) -> Plan:
    """Compare a listing with what is known.

    Args:
        listing: the stage directory's remote entries.
        known: what was sent, or listed before.
        always: paths to fetch whether they changed or not.
        selection: what else is fetched of what changed.
    """
    plan = Plan()
    wanted = set(always)
    for entry in sorted(listing, key=lambda item: item.path):
        if entry.kind is FileKind.DIRECTORY:
            plan.directories.append(entry.path)
        elif entry.kind is FileKind.LINK and entry.target is not None:
            if entry.path not in known:
                plan.links[entry.path] = entry.target
        elif entry.kind is FileKind.FILE and (entry.path in wanted or _is_new(entry, known.get(entry.path))):
            reason = None if entry.path in wanted else selection.reason_to_leave(entry.path, entry.size)
            if reason is None:
                plan.files[entry.path] = entry
            else:
                plan.left[entry.path] = reason
    return plan


def remember(listing: Iterable[RemoteFile]) -> dict[str, Listed]:
    """Return what is known of the remote side once everything new has been fetched."""
    files = [entry for entry in listing if entry.kind is FileKind.FILE]
    newest = max((_seconds(entry.mtime) for entry in files), default=0.0)
    return {
        entry.path: Listed(entry.size, entry.mtime, settled=_seconds(entry.mtime) < newest - RECENT)
        for entry in files
    }


def _is_new(entry: RemoteFile, before: Sent | Listed | None) -> bool:
    if before is None or before.size != entry.size:
        return True
    if isinstance(before, Listed):
        return before.mtime != entry.mtime or not before.settled
    # What was sent is dated days back: a file that still is, whatever the zone, has not been touched.
    return abs(_seconds(entry.mtime) - before.mtime) > ZONES


def _seconds(mtime: str) -> float:
    try:
        return datetime.fromisoformat(mtime).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        # A time that can't be read never equals one that was sent: the file is fetched.
        return float("inf")
