"""Which of the files that a job made are brought back."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import basename


@dataclass(frozen=True)
class Selection:
    """What is brought back; standard output and error always are.

    A pattern is a shell pattern for the path relative to the stage directory, or, if it has no slash, for
    the name alone. ``*`` matches slashes too.

    Attributes:
        retrieve: patterns of what is brought back.
        exclude: patterns of what is not.
        max_file_size: bytes; larger files are not brought back. None sets no limit.
    """

    retrieve: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    max_file_size: int | None = None

    def reason_to_leave(self, path: str, size: int) -> str | None:
        """Return why a file stays where it is, None if it is brought back."""
        if not _matches(path, self.retrieve):
            return "no 'retrieve' pattern names it"
        if _matches(path, self.exclude):
            return "an 'exclude' pattern names it"
        if self.max_file_size is not None and size > self.max_file_size:
            return f"it has {size} bytes, and 'max_file_size' is {self.max_file_size}"
        return None


EVERYTHING = Selection()


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(
        fnmatchcase(path, pattern) or ("/" not in pattern and fnmatchcase(basename(path), pattern))
        for pattern in patterns
    )
