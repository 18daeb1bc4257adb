"""Plan of the files to retrieve, from a listing. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import MappingProxyType

from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.model.selection import EVERYTHING, Selection
from reframe_firecrest.staging.markers import Changes
from reframe_firecrest.staging.pack import HEADER, SentStat
from reframe_firecrest.staging.placeholder_index import INDEX

ZONES = 15 * 3600
"""Largest difference of a time zone from UTC, in seconds; listings are in the system's time zone."""

SUMMER = 3600
"""Seconds by which daylight saving time shifts the listed times of a part of the year."""

RECENT = 2
"""Seconds before the newest entry of a listing within which a later change of a file may not show."""

NO_CHANGES = Changes()


@dataclass(frozen=True)
class RemoteStat:
    """A file's attributes in an earlier listing.

    Attributes:
        size: size in bytes.
        mtime: modification time as listed.
        settled: it was old enough that a later change shows.
    """

    size: int
    mtime: str
    settled: bool


Known = Mapping[str, SentStat | RemoteStat]
"""Known files on the system, by path relative to the stage directory."""


@dataclass
class Plan:
    """Plan of a retrieval, by path relative to the stage directory.

    Attributes:
        files: regular files to fetch.
        directories: directories to create, parents first.
        links: links to create, with their targets.
        left: files that stay on the system, with the reason.
        gone: entries that have been removed on the system.
        closed: directories that could not be listed, with the reason.
        suspects: those of `files` that look unchanged but may have changed.
    """

    files: dict[str, RemoteFile] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)
    suspects: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Bytes to fetch before compression, including the headers."""
        return sum(HEADER + file.size for file in self.files.values())


def make_plan(
    listing: Iterable[RemoteFile],
    known: Known,
    always: Iterable[str],
    selection: Selection = EVERYTHING,
    closed: Mapping[str, str] = MappingProxyType({}),
    *,
    hidden: Changes = NO_CHANGES,
    alike: Collection[str] = (),
) -> Plan:
    """Compare a listing with the known files.

    Args:
        listing: entries of the remote stage directory.
        known: files that were sent or listed before.
        always: paths to fetch whether they have changed or not.
        selection: selection among the other changed files.
        closed: directories that could not be listed, with the reason.
        hidden: changes that the listing does not show.
        alike: files that were the same on both sides before the job; only these can have hidden changes.
    """
    plan = Plan(closed=dict(closed))
    wanted = set(always)
    entries = sorted(
        (entry for entry in listing if INDEX not in entry.path.split("/")), key=lambda item: item.path
    )
    zone = _zone(entries, known)
    for entry in entries:
        if entry.path in closed:
            continue
        if entry.kind is FileKind.DIRECTORY:
            plan.directories.append(entry.path)
        elif entry.kind is FileKind.LINK and entry.target is not None:
            before = known.get(entry.path)
            if not isinstance(before, SentStat) or before.is_file:
                plan.links[entry.path] = entry.target
        elif entry.kind is FileKind.FILE and (
            entry.path in wanted or _is_new(entry, known.get(entry.path), zone)
        ):
            reason = None if entry.path in wanted else selection.reason_to_leave(entry.path, entry.size)
            if reason is None:
                plan.files[entry.path] = entry
            else:
                plan.left[entry.path] = reason
        elif entry.kind is FileKind.OTHER:
            plan.left[entry.path] = "it is not a regular file"
    optional = {path: file.size for path, file in plan.files.items() if path not in wanted}
    for path, reason in selection.beyond(optional).items():
        del plan.files[path]
        plan.left[path] = reason
    found = hidden.suspects(
        {
            entry.path: entry.size
            for entry in entries
            if entry.path in alike and _looks_unchanged(entry, plan, selection)
        }
    )
    plan.suspects = frozenset(found)
    plan.files.update({entry.path: entry for entry in entries if entry.path in found})
    if entries:
        # Backslashes are ambiguous in listings, so a missing name with one may still exist.
        listed = {entry.path for entry in entries}
        below_closed = tuple(f"{path}/" for path in closed)
        plan.gone = [
            path
            for path in known
            if path not in listed and "\\" not in path and not path.startswith(below_closed)
        ]
        plan.left |= _unknown_below(closed, known)
    return plan


def _unknown_below(closed: Mapping[str, str], known: Known) -> dict[str, str]:
    """Return the known files in directories that could not be listed, with the reason."""
    return {
        path: reason
        for directory, reason in closed.items()
        for path, before in known.items()
        if path.startswith(f"{directory}/") and (isinstance(before, RemoteStat) or before.is_file)
    }


def _looks_unchanged(entry: RemoteFile, plan: Plan, selection: Selection) -> bool:
    return (
        entry.kind is FileKind.FILE
        and entry.path not in plan.files
        and entry.path not in plan.left
        and selection.reason_to_leave(entry.path, entry.size) is None
    )


def _zone(entries: Iterable[RemoteFile], known: Known) -> float:
    """Return the system's time zone: the seconds by which listed times differ from those sent.

    Jobs change few of the sent files, so the most common difference is that of the time zone.
    """
    differences = Counter(
        _seconds(entry.mtime) - before.mtime
        for entry in entries
        if isinstance(before := known.get(entry.path), SentStat)
        and before.size == entry.size
        and abs(_seconds(entry.mtime) - before.mtime) <= ZONES
    )
    return differences.most_common(1)[0][0] if differences else 0.0


def remember(listing: Iterable[RemoteFile]) -> dict[str, RemoteStat]:
    """Return the known files after a retrieval."""
    files = [entry for entry in listing if entry.kind is FileKind.FILE]
    newest = max((_seconds(entry.mtime) for entry in files), default=0.0)
    return {
        entry.path: RemoteStat(entry.size, entry.mtime, settled=_seconds(entry.mtime) < newest - RECENT)
        for entry in files
    }


def _is_new(entry: RemoteFile, before: SentStat | RemoteStat | None, zone: float) -> bool:
    if before is None or before.size != entry.size:
        return True
    if isinstance(before, RemoteStat):
        return before.mtime != entry.mtime or not before.settled
    # Sent files are dated days back, so the time of a file written since differs by days. A sent file that
    # was moved to the path of another differs by some other number of seconds.
    shift = _seconds(entry.mtime) - before.mtime - zone
    return shift not in {-SUMMER, 0, SUMMER}


def _seconds(mtime: str) -> float:
    try:
        return datetime.fromisoformat(mtime).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        # An invalid time equals none that was sent, so the file is fetched.
        return float("inf")


def is_doubtful(entry: RemoteFile, owner: str) -> bool:
    """Return whether a file is probably unreadable for its owner or for the gateway's user.

    An access control list grants at most what the group's permissions show (acl(5)), so a file that its group
    may read is never doubtful.

    Args:
        entry: the file.
        owner: the user that the job ran as; empty if unknown.
    """
    permissions = entry.permissions
    if len(permissions) < 9:
        return False
    if entry.owner and entry.owner == owner:
        return permissions[0] != "r"
    may_be_ours = not owner and permissions[0] == "r"
    return not may_be_ours and permissions[3] != "r" and permissions[6] != "r"


def described(entry: RemoteFile) -> str:
    """Describe a file's owner and permissions."""
    return f"its permissions are {entry.permissions} and its owner is {entry.owner or 'not known'}"
