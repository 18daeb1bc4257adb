"""An entry of Slurm's job list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JobPart:
    """One entry of Slurm's list: a job, a task of an array or a part of a heterogeneous job.

    Attributes:
        job_id: as Slurm prints it, such as ``12``, ``12_3``, ``12_[4-7]`` or ``12+1``.
        state: Slurm's state, without decoration such as ``by 1001``.
        reason: why it is pending, as Slurm says.
        exit_code: None while unknown.
        nodes: node set in Slurm's notation.
        end: seconds since the epoch, None while running.
        working_directory: as reported by Slurm; empty where that is not told, or not all of it.
        node_count: how many nodes it has; 0 where that is not told.
        elapsed: seconds for which it has run.
        limit: seconds for which it may run; None where that is not told.
    """

    job_id: str
    name: str
    state: str
    reason: str | None
    exit_code: int | None
    nodes: str
    submitted: float | None
    end: float | None
    working_directory: str
    node_count: int = 0
    elapsed: float = 0.0
    limit: float | None = None

    @property
    def base_id(self) -> str:
        """The id that was submitted: without array index or component number."""
        return self.job_id.partition("_")[0].partition("+")[0]
