"""Script of the job that splits archives into parts, where the gateway has no storage. Pure functions.

The job writes into a directory that is named by its id, so several jobs of one submission do not disturb each
other. A part's name consists of the archive's number and a suffix that ``split`` chooses; the digest of an
archive is the target of a link beside its parts, so one listing shows all.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reframe_firecrest.model.errors import HostileArchiveError
from reframe_firecrest.model.remote_file import FileKind, RemoteFile

NAME = "reframe-firecrest-split"
"""Name of the job."""

MINUTES = 15
"""Time limit of the job; that of the gateway's own transfer jobs in its examples."""

SUFFIX = 4
"""Letters of a part's suffix: 456,976 parts."""

_PART = re.compile(r"([0-9]{1,9})\.[a-z]{4}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SplitFile:
    """A file on the system that was split.

    Attributes:
        parts: names of the parts in the job's directory, in order, with their sizes in bytes.
        digest: SHA-256 digest of the whole file, in hexadecimal; None if the system can't compute it.
    """

    parts: Sequence[tuple[str, int]]
    digest: str | None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(size for _, size in self.parts)


def split_script(directory: str, files: Sequence[str], part_size: int, options: Iterable[str]) -> str:
    """Return the script.

    Args:
        directory: its working directory, absolute.
        files: absolute paths of the files to split.
        part_size: bytes of a part.
        options: options of sbatch, such as the account.
    """
    lines = [
        "#!/bin/sh",
        f"#SBATCH --job-name={NAME}",
        f"#SBATCH --output={directory}/log",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        f"#SBATCH --time={MINUTES}",
        *(f"#SBATCH {option}" for option in options),
        "# reframe-firecrest: splits files that are too large to be fetched in one request.",
        f"cd {shlex.quote(directory)} || exit 1",
        'mkdir -p "$SLURM_JOB_ID" && cd "$SLURM_JOB_ID" && rm -f ./* || exit 1',
    ]
    for number, file in enumerate(files):
        path = shlex.quote(file)
        lines += [
            f"split -b {part_size} -a {SUFFIX} {path} {number}. || exit 1",
            f'sum=$(sha256sum < {path}) && ln -s "${{sum%% *}}" {number}.sum',
        ]
    return "\n".join([*lines, "exit 0", ""])


def parse_parts(listing: Iterable[RemoteFile], number: int, part_size: int, most: int) -> SplitFile:
    """Return the parts of a file from the listing of the job's directory.

    Args:
        listing: the entries.
        number: of the file.
        part_size: bytes of a part.
        most: bytes that the file may have.

    Raises:
        HostileArchiveError: the listing is not that of a file that was split.
    """
    parts, digest = [], None
    for entry in sorted(listing, key=lambda entry: entry.path):
        found = _PART.fullmatch(entry.path)
        if found is not None and int(found[1]) == number and entry.kind is FileKind.FILE:
            parts.append((entry.path, entry.size))
        elif entry.path == f"{number}.sum" and _DIGEST.fullmatch(entry.target or ""):
            digest = entry.target
    split = SplitFile(parts, digest)
    sizes = [size for _, size in parts]
    regular = sizes and all(size == part_size for size in sizes[:-1]) and 0 < sizes[-1] <= part_size
    if not regular or split.size > most:
        raise HostileArchiveError(f"file {number} was not split into parts of {part_size} bytes")
    return split
