"""Comment of a job in Slurm, which names the run and the test. Pure functions.

``squeue -o "%i %T %k"`` shows it. The job's name stays ReFrame's, because jobs are searched for by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 200
"""Characters of a comment."""

_UNSAFE = re.compile(r"[^A-Za-z0-9 _.,:;=+@%~/()\[\]-]")
"""Characters that sbatch, or a program that reads its output, might not take for text."""

_COMMENT = re.compile(r"#SBATCH\s+--comment\b")


def with_comment(preamble: Sequence[str], run: str, test: str) -> list[str]:
    """Add a comment to the directives of a job script, unless they have one.

    Args:
        preamble: the directives.
        run: name of the run.
        test: display name of the test; empty if it is unknown.
    """
    if any(_COMMENT.match(line) for line in preamble):
        return [*preamble]
    text = _UNSAFE.sub("_", f"reframe {run} {test}".strip())[:LONGEST]
    # First, because after "hetjob" it would be another component's.
    return [f'#SBATCH --comment="{text}"', *preamble]
