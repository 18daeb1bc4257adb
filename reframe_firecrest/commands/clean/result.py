"""Outcome of `reframe-firecrest clean`."""

from __future__ import annotations

from dataclasses import dataclass, field

from reframe_firecrest.commands.clean.residue import RemoteResidue


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        residues: what runs may have left, with what became of it.
        skipped: runs that were left alone, with the reason.
        refused: runs that should have been cleaned up and were not, with the reason.
        forgotten: runs whose journals were deleted because nothing is left of them.
        empty: runs that never created anything, whose journals were deleted.
        dropped: runs whose journals were deleted without cleaning up, with what may be left.
    """

    residues: list[RemoteResidue] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing failed."""
        return not self.refused and not any(one.problems or one.left for one in self.residues)
