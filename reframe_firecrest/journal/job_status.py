"""Status of a job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JobStatus:
    """Status of a job. Its fields are those of ``status --json``.

    Attributes:
        number: number of the job in its process.
        name: name of the job.
        phase: see `reframe_firecrest.model.job.Phase`.
        job_id: Slurm's id.
        state: Slurm's state.
        exit_code: exit code of the job.
        nodes: nodes of the job in Slurm's notation.
        reason: Slurm's reason for keeping it pending.
        seconds: seconds in the current phase, of a running job since its start in Slurm; total seconds if the
            phase is final.
        waited: seconds in Slurm's queue so far; None if it was never queued.
        error: one line, if something other than the job itself failed.
    """

    number: int
    name: str
    phase: str
    job_id: str | None
    state: str | None
    exit_code: int | None
    nodes: str
    reason: str | None
    seconds: float
    waited: float | None
    error: str | None
