"""Markers with which a job reports its own progress: symbolic links, whose targets any listing shows.

A link is created atomically on any shared file system and needs no data block. Retrieval lists the stage
directory anyway, so reading a marker costs no request.

Markers are in two directories. The directory of claims is below the run's transfer directory, where no test's
job changes it, and exists until the run ends. The stage directory has copies.

| name | directory | target |
|---|---|---|
| ``<token>`` | claims | id of the job that runs the submission with this token |
| ``<token>.ready`` | claims | the same id, once the shared inputs, if any, have been copied |
| ``<token>.error`` | both | reason for which the job ended before its first command |
| ``.reframe-firecrest-<token>.ready`` | stage directory | the job's id; the test's commands have started |
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
"""Words in a marker of changes: the search is complete; directories were renamed or written to."""

_MARKER = re.compile(r"\.reframe-firecrest-[0-9a-f]{32}\.[a-z]+(?:-[0-9]+)?")
_ID = re.compile("[0-9]{1,20}")


def new_token() -> str:
    """Return a unique name for a submission."""
    return secrets.token_hex(16)


def without_markers(listing: Iterable[RemoteFile]) -> list[RemoteFile]:
    """Return the entries of a stage directory without the markers."""
    return [entry for entry in listing if not _is_marker(entry)]


def _is_marker(entry: RemoteFile) -> bool:
    return entry.kind is FileKind.LINK and _MARKER.fullmatch(entry.path) is not None


@dataclass(frozen=True)
class Changes:
    """Changes that a listing does not show, because size and modification time are the same.

    Attributes:
        everything: any file may have changed, because the job has reported nothing.
        moved: a directory may have been renamed, with all files in it.
        sizes: sizes of the changed files with an older modification time.
    """

    everything: bool = False
    moved: bool = False
    sizes: frozenset[int] = frozenset()

    def suspects(self, sizes: Mapping[str, int]) -> set[str]:
        """Return the files that may have changed.

        Args:
            sizes: sizes of the known files that look unchanged, by path.
        """
        if self.everything:
            return set(sizes)
        found = {path for path, size in sizes.items() if size in self.sizes}
        if self.moved:
            # A move is hidden only if it replaces a file by another of the same name and size.
            twins = Counter((basename(path), size) for path, size in sizes.items())
            found |= {path for path, size in sizes.items() if twins[basename(path), size] > 1}
        return found


UNKNOWN = Changes(everything=True)


def changes_of(fingerprints: Sequence[str]) -> Changes:
    """Combine the reports of a job's tasks; return `UNKNOWN` if one of them is invalid."""
    words = [word for mark in fingerprints for word in mark.split(" ")]
    numbers = {word for word in words if word not in (SEARCHED, MOVED)}
    if not words or not all(_ID.fullmatch(word) for word in numbers):
        return UNKNOWN
    return Changes(moved=MOVED in words, sizes=frozenset(map(int, numbers)))


@dataclass(frozen=True)
class Markers:
    """State of a submission according to its markers.

    Attributes:
        holder: id of the job that has claimed the submission; None if unknown.
        started: the test's commands have started.
        error: reason for which they have not started.
        changes: reports of changes, by task; a job without an array has one task with an empty name.
    """

    holder: str | None = None
    started: bool = False
    error: str | None = None
    changes: Mapping[str, str] | None = None

    def hidden_changes(self, tasks: Iterable[str]) -> Changes:
        """Return the changes that a listing does not show.

        Args:
            tasks: the tasks whose reports are required.
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
    """Add the markers in the directory of claims.

    Args:
        listing: listing of the directory of claims.
        token: token of the submission.
        found: markers in the stage directory.
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
    """Return the targets of the links whose names begin with `start`, by the rest of the name."""
    return {
        entry.path.removeprefix(start): entry.target
        for entry in listing
        if entry.kind is FileKind.LINK and entry.target and entry.path.startswith(start)
    }
