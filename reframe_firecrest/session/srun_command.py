"""The `srun` command line for a version of Slurm. Pure functions."""

from __future__ import annotations

import re

INHERITANCE_REMOVED = (22, 5)
"""Version since which `srun` does not inherit ``--cpus-per-task`` from the job (release notes of Slurm
22.05). ReFrame's `srun` launcher writes the option out."""


def needs_cpus_per_task(scheduler_version: tuple[int, ...] | None) -> bool:
    """Return true if `srun` needs the option ``--cpus-per-task``; an unknown version counts as a new one."""
    return scheduler_version is None or scheduler_version[:2] >= INHERITANCE_REMOVED


def without_cpus_per_task(script: str, cpus: int, scheduler_version: tuple[int, ...] | None) -> str:
    """Remove ``--cpus-per-task`` from a script whose `srun` lines were written before the version was known.

    Args:
        script: the job script.
        cpus: the value that was written.
        scheduler_version: as the gateway reports it.
    """
    if needs_cpus_per_task(scheduler_version):
        return script
    return re.sub(rf"\bsrun --cpus-per-task={cpus}(?!\d)", "srun", script)
