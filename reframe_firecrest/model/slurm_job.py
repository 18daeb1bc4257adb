"""An entry of Slurm's job list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JobPart:
    """One entry of Slurm's list: a job, a task of an array or a component of a heterogeneous job.

    Attributes:
        job_id: id as Slurm prints it, such as ``12``, ``12_3``, ``12_[4-7]`` or ``12+1``.
        name: the job's name.
        state: Slurm's state, without additions such as ``by 1001``.
        reason: Slurm's reason for keeping it pending.
        exit_code: its exit code; None while unknown.
        nodes: node set in Slurm's notation.
        submitted: time of submission, in seconds since the epoch; None if unknown.
        end: time of its end, in seconds since the epoch; None while it is active.
        working_directory: as Slurm reports it; empty if it is not reported, or shortened.
        node_count: number of nodes; 0 if it is not reported.
        elapsed: run time in seconds.
        limit: time limit in seconds; None if it is not reported.
        start: time at which it started, in seconds since the epoch; None if it has not started, or it is not
            reported.
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
    start: float | None = None

    @property
    def succeeded(self) -> bool:
        """True if it ended by itself, with exit code 0."""
        return self.state == "COMPLETED" and not self.exit_code

    @property
    def base_id(self) -> str:
        """Id of the submitted job: without array index or component number."""
        return self.job_id.partition("_")[0].partition("+")[0]
