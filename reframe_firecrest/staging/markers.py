"""Marks that a job leaves about its own run: symbolic links, whose targets show in any listing.

A link is made in one step on any shared file system, needs no block of data, and a listing of the stage
directory, which retrieval needs anyway, shows it with its target. So reading it costs no request.

Two places have them. The directory of claims lies below the run's transfer directory, out of reach of what a
job does in its stage directory, and exists until the run ends. The stage directory has copies.

| name | in | target |
|---|---|---|
| ``<token>`` | claims | id of the job that runs what was submitted with this token |
| ``<token>.ready`` | claims | the same id, once the inputs have been copied; only where there are any |
| ``<token>.error`` | both | reason for which the job ended before its first command |
| ``.reframe-firecrest-<token>.ready`` | stage directory | the job's id: the test's commands have begun |
| ``.reframe-firecrest-<token>.changes[-<task>]`` | stage directory | see `Changes` |
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from posixpath import basename

from reframe_firecrest.model.remote_file import FileKind, RemoteFile

CLAIMS = "claims"
"""Directory of claims, below the transfer directory."""

PREFIX = ".reframe-firecrest-"
READY, ERROR, CHANGES = ".ready", ".error", ".changes"

SEARCHED, MOVED = "searched", "d"
"""Words of a marker about changes: the search has ended; directories were renamed or written into."""

_MARKER = re.compile(r"\.reframe-firecrest-[0-9a-f]{32}\.[a-z]+(?:-[0-9]+)?")
_ID = re.compile("[0-9]{1,20}")


def new_token() -> str:
    """Return a name that no other submission has."""
    return secrets.token_hex(16)


def without_markers(listing: Iterable[RemoteFile]) -> list[RemoteFile]:
    """Return the entries of a stage directory that are the test's."""
    return [entry for entry in listing if not _is_marker(entry)]


def _is_marker(entry: RemoteFile) -> bool:
    return entry.kind is FileKind.LINK and _MARKER.fullmatch(entry.path) is not None


@dataclass(frozen=True)
class Changes:
    """Changes that a listing does not show, because they kept both size and modification time.

    Attributes:
        everything: nothing is known, so any file may have changed.
        moved: a directory may have been renamed, and with it all files in it.
        sizes: sizes of files that were changed and look older than that.
    """

    everything: bool = False
    moved: bool = False
    sizes: frozenset[int] = frozenset()

    def suspects(self, sizes: Mapping[str, int]) -> set[str]:
        """Return the files that may have changed.

        Args:
            sizes: files that are known and look unchanged, with their sizes.
        """
        if self.everything:
            return set(sizes)
        found = {path for path, size in sizes.items() if size in self.sizes}
        if self.moved:
            # Such a change is hidden only if another file of the same name and size has moved there.
            twins = Counter((basename(path), size) for path, size in sizes.items())
            found |= {path for path, size in sizes.items() if twins[basename(path), size] > 1}
        return found


UNKNOWN = Changes(everything=True)


def changes_of(fingerprints: Sequence[str]) -> Changes:
    """Add up what the tasks of a job report; `UNKNOWN` if one reports something else."""
    words = [word for mark in fingerprints for word in mark.split(" ")]
    numbers = {word for word in words if word not in (SEARCHED, MOVED)}
    if not words or not all(_ID.fullmatch(word) for word in numbers):
        return UNKNOWN
    return Changes(moved=MOVED in words, sizes=frozenset(map(int, numbers)))


@dataclass(frozen=True)
class Markers:
    """State of a submission as its markers show it.

    Attributes:
        holder: id of the job that has claimed it; None as long as none has, or it is not known.
        started: its commands have begun.
        error: reason for which they have not.
        changes: marks about changes, by task; a job that is no array has one task of an empty name.
    """

    holder: str | None = None
    started: bool = False
    error: str | None = None
    changes: Mapping[str, str] | None = None

    def hidden_changes(self, tasks: Iterable[str]) -> Changes:
        """Return the changes that a listing does not show.

        Args:
            tasks: the tasks that must have reported.
        """
        fingerprints = self.changes or {}
        expected = list(tasks)
        return (
            changes_of([fingerprints[task] for task in expected])
            if set(expected) <= set(fingerprints)
            else UNKNOWN
        )


def read_stage(listing: Iterable[RemoteFile], token: str) -> Markers:
    """Read the markers in the listing of a stage directory."""
    links = _links(listing, PREFIX + token)
    holder = _id_of(links.get(READY))
    changes = {
        name.removeprefix(CHANGES).removeprefix("-"): target
        for name, target in links.items()
        if name == CHANGES or name.startswith(f"{CHANGES}-")
    }
    return Markers(holder, started=holder is not None, error=links.get(ERROR), changes=changes)


def read_claims(listing: Iterable[RemoteFile], token: str, found: Markers, *, prepares: bool) -> Markers:
    """Add what the directory of claims tells.

    Args:
        listing: the directory of claims.
        token: the submission's.
        found: what the stage directory tells.
        prepares: the script copies inputs before its first command.
    """
    links = _links(listing, token)
    holder = _id_of(links.get(""))
    proof = links.get(READY) if prepares else holder
    return replace(
        found,
        holder=holder or found.holder,
        started=found.started or proof is not None,
        error=found.error or links.get(ERROR),
    )


def _id_of(target: str | None) -> str | None:
    return target if target and _ID.fullmatch(target) else None


def _links(listing: Iterable[RemoteFile], start: str) -> dict[str, str]:
    """Return the targets of links by what their names have behind `start`."""
    return {
        entry.path.removeprefix(start): entry.target
        for entry in listing
        if entry.kind is FileKind.LINK and entry.target and entry.path.startswith(start)
    }
