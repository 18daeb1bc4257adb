"""What is known to lie on the system: remembered from listings, to judge what a directory weighs."""

from __future__ import annotations

from collections.abc import Sequence

from reframe_firecrest.model.remote_file import FileKind, RemoteFile

LISTINGS = 300
"""Listings that are remembered; no more directories lie together."""


class ListingCache:
    """The newest listings of whole directories. They can be out of date, and are good for estimates."""

    def __init__(self) -> None:
        self._listings: dict[str, Sequence[RemoteFile]] = {}

    def note(self, directory: str, listing: Sequence[RemoteFile]) -> None:
        """Remember what lies below a directory."""
        self._listings.pop(directory, None)
        self._listings[directory] = listing
        if len(self._listings) > LISTINGS:
            del self._listings[next(iter(self._listings))]

    def below(self, directory: str) -> tuple[dict[str, int], set[str]]:
        """Return the sizes of files, and the directories all of whose files are among them.

        Args:
            directory: what all of the paths are relative to.
        """
        sizes: dict[str, int] = {}
        whole: set[str] = set()
        for listed, entries in self._listings.items():
            if listed != directory and not listed.startswith(f"{directory}/"):
                continue
            prefix = listed.removeprefix(directory).removeprefix("/")
            if prefix:
                whole.add(prefix)
            for entry in entries:
                path = f"{prefix}/{entry.path}" if prefix else entry.path
                if entry.kind is FileKind.DIRECTORY:
                    whole.add(path)
                else:
                    sizes[path] = entry.size
        return sizes, whole
