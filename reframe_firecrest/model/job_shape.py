"""Shape of a job: the tasks of an array, or the components of a heterogeneous job. Pure functions.

The submission defines it. Slurm's lists do not show the number of parts: the accounting reports tasks some
seconds late, and running tasks appear under raw ids (measured on Slurm 22.05).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST_INDEX = 4_000_000
"""Largest index that Slurm allows (``MaxArraySize`` in slurm.conf(5))."""

SHOWN_INDICES = 10
"""Number of indices that a message names."""

_INDICES = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9})(?::([0-9]{1,9}))?)?")
_NOT_SHOWN = "..."
"""End of a list of indices that Slurm has shortened (``SLURM_BITSTR_LEN`` in sacct(1) and squeue(1))."""


@dataclass(frozen=True)
class JobShape:
    """Parts of a job, as its submission defines them.

    Attributes:
        tasks: indices of an array's tasks; empty for a job that is no array.
        components: number of components of a heterogeneous job; 1 for any other.
    """

    tasks: frozenset[int] = frozenset()
    components: int = 1

    @property
    def is_array(self) -> bool:
        """True if the script runs once for each task, in the same directory."""
        return bool(self.tasks)

    @property
    def several(self) -> bool:
        """True if there is more than one part, or a part with an index."""
        return self.is_array or self.components > 1

    def missing(self, job_ids: Iterable[str]) -> frozenset[int]:
        """Return the indices of the parts that are not among some ids.

        Args:
            job_ids: ids as Slurm prints them, such as ``408_3``, ``408_[4-9%2]`` or ``123+0``.
        """
        if not self.several:
            return frozenset()
        separator = "_" if self.is_array else "+"
        expected = self.tasks or frozenset(range(self.components))
        listed = [job_id.partition(separator)[2] for job_id in job_ids]
        left = expected - {int(index) for index in listed if _is_index(index)}
        for indices in listed:
            if left and indices.startswith("["):
                left = frozenset(index for index in left if not _covers(indices, index))
        return left


SINGLE = JobShape()
"""Shape of a job that is neither an array nor heterogeneous."""


def in_words(indices: Iterable[int]) -> str:
    """Return indices as text for a message, shortened if there are many."""
    ordered = sorted(indices)
    more = len(ordered) - SHOWN_INDICES
    return ", ".join(map(str, ordered[:SHOWN_INDICES])) + (f" and {more} more" if more > 0 else "")


def index_of(job_id: str) -> int | None:
    """Return the index in the id of a single task; None if the id has no single index."""
    index = job_id.partition("_")[2]
    return int(index) if _is_index(index) else None


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9


def _covers(indices: str, index: int) -> bool:
    """Return true if brackets such as ``[0-8:2,11%2]`` contain an index; they are not expanded."""
    last_shown = -1
    items = indices.strip("[]").partition("%")[0].split(",")
    for item in items:
        found = _INDICES.fullmatch(item)
        if found is None:
            continue
        first = int(found[1])
        last, step = int(found[2] or first), max(int(found[3] or 1), 1)
        last_shown = max(last_shown, last)
        if first <= index <= last and (index - first) % step == 0:
            return True
    return _NOT_SHOWN in indices and index > last_shown
