"""Selection of the files to retrieve after a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import basename

from reframe_firecrest.model.file_names import to_wire
from reframe_firecrest.model.units import format_size


@dataclass(frozen=True)
class Selection:
    """Selection among a job's files; standard output and error are always retrieved.

    A pattern is a shell pattern for the path relative to the stage directory or, without a slash, for the
    name. ``*`` matches slashes, too. Sizes are those of the listing. None means no limit.

    Attributes:
        retrieve: patterns of the files to retrieve.
        exclude: patterns of files not to retrieve.
        max_file_size: largest size of a file, in bytes.
        max_total_size: largest size of all files together, in bytes; the largest files beyond it are omitted.
        max_files: largest number of files; the largest files beyond it are omitted.
    """

    retrieve: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    max_file_size: int | None = None
    max_total_size: int | None = None
    max_files: int | None = None

    def reason_to_leave(self, path: str, size: int) -> str | None:
        """Return the reason for which a file is not retrieved; None if it is."""
        if not _matches(path, self.retrieve):
            return "no 'retrieve' pattern names it"
        if _matches(path, self.exclude):
            return "an 'exclude' pattern names it"
        if self.max_file_size is not None and size > self.max_file_size:
            return f"it has {format_size(size)}, and 'max_file_size' is {format_size(self.max_file_size)}"
        return None

    def beyond(self, files: Mapping[str, int]) -> dict[str, str]:
        """Return the files beyond the limits for all files together, with the reason.

        Args:
            files: sizes of the files to retrieve, by path.
        """
        reasons = {}
        total = 0
        for number, (path, size) in enumerate(sorted(files.items(), key=lambda item: (item[1], item[0])), 1):
            total += size
            if self.max_files is not None and number > self.max_files:
                reasons[path] = f"it is one of {len(files)} files, and 'max_files' is {self.max_files}"
            elif self.max_total_size is not None and total > self.max_total_size:
                reasons[path] = (
                    f"all files together have {format_size(sum(files.values()))}, and 'max_total_size' is "
                    f"{format_size(self.max_total_size)}"
                )
        return reasons


EVERYTHING = Selection()


def is_output(path: str, outputs: Iterable[str]) -> bool:
    """Return whether a file is standard output or error, of a job or of one task of an array.

    Args:
        path: relative to the stage directory.
        outputs: names of the files for standard output and error.
    """
    return any(
        path == name or (path.startswith(f"{name}_") and path[len(name) + 1 :].isdecimal())
        for name in outputs
    )


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    path = to_wire(path)
    return any(
        fnmatchcase(path, pattern) or ("/" not in pattern and fnmatchcase(basename(path), pattern))
        for pattern in patterns
    )
