"""The `srun` command line for a version of Slurm. Pure functions."""

from __future__ import annotations

import re

INHERITS_NO_LONGER = (22, 5)
"""From Slurm 22.05 on, `srun` does not take ``--cpus-per-task`` over from the job; ReFrame writes it out."""


def needs_cpus_per_task(scheduler_version: tuple[int, ...] | None) -> bool:
    """Tell whether `srun` has to be given ``--cpus-per-task``; where the version is not known, it is."""
    return scheduler_version is None or scheduler_version[:2] >= INHERITS_NO_LONGER


def without_cpus_per_task(script: str, cpus: int, scheduler_version: tuple[int, ...] | None) -> str:
    """Take ``--cpus-per-task`` out of a script whose `srun` lines were written before the version was known.

    Args:
        script: the job script.
        cpus: the value that was written.
        scheduler_version: as the gateway reports it.
    """
    if needs_cpus_per_task(scheduler_version):
        return script
    return re.sub(rf"\bsrun --cpus-per-task={cpus}(?!\d)", "srun", script)
