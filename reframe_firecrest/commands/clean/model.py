"""Options and outcome of `reframe-firecrest clean`."""

from __future__ import annotations

from dataclasses import dataclass, field

from reframe_firecrest.commands.clean.residue import RemoteResidue


@dataclass(frozen=True)
class CleanOptions:
    """Options of a clean-up.

    Attributes:
        dry_run: change nothing, neither on the system nor in the journals.
        forget: delete the journals of runs that have left nothing, and of runs that can't be cleaned up:
            of a named run, and of runs that never submitted a job.
        offline: send no request; only delete journals.
        force: clean up a run even if it is not known whether it is still running.
    """

    dry_run: bool = False
    forget: bool = False
    offline: bool = False
    force: bool = False


@dataclass
class Outcome:
    """Outcome of a clean-up.

    Attributes:
        residues: what runs may have left, and the result for each.
        skipped: runs that were not cleaned up because they may be running, with the reason.
        refused: runs that could not be cleaned up, with the reason.
        forgotten: runs whose journals were deleted because they have left nothing.
        empty: runs that never created anything, whose journals were deleted.
        dropped: runs whose journals were deleted without a clean-up, with what may be left.
    """

    residues: list[RemoteResidue] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Report whether everything succeeded."""
        return not self.refused and not any(residue.problems or residue.left for residue in self.residues)
