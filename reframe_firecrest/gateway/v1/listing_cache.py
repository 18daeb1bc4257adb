"""Cache of listings, to estimate the size of directories."""

from __future__ import annotations

from collections.abc import Sequence

from reframe_firecrest.model.remote_file import FileKind, RemoteFile

LISTINGS = 300
"""Listings that are cached."""


class ListingCache:
    """The latest recursive listings. They can be out of date, so they only serve for estimates."""

    def __init__(self) -> None:
        self._listings: dict[str, Sequence[RemoteFile]] = {}

    def note(self, directory: str, listing: Sequence[RemoteFile]) -> None:
        """Store the listing of a directory."""
        self._listings.pop(directory, None)
        self._listings[directory] = listing
        if len(self._listings) > LISTINGS:
            del self._listings[next(iter(self._listings))]

    def below(self, directory: str) -> tuple[dict[str, int], set[str]]:
        """Return the sizes of files, and the directories whose files are all known.

        Args:
            directory: to which all paths are relative.
        """
        sizes: dict[str, int] = {}
        complete: set[str] = set()
        for listed, entries in self._listings.items():
            if listed != directory and not listed.startswith(f"{directory}/"):
                continue
            prefix = listed.removeprefix(directory).removeprefix("/")
            if prefix:
                complete.add(prefix)
            for entry in entries:
                path = f"{prefix}/{entry.path}" if prefix else entry.path
                if entry.kind is FileKind.DIRECTORY:
                    complete.add(path)
                else:
                    sizes[path] = entry.size
        return sizes, complete
