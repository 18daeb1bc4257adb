"""Interface of the runners."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firecrest_sandbox.records import (
        Account,
        Job,
        JobDescription,
        JobMetadata,
        JobsTimeWindow,
        Node,
        Partition,
        Reservation,
    )


@dataclass(frozen=True)
class JobQuery:
    """Filter of a job list. Pending and running jobs are in every time window."""

    time_window: JobsTimeWindow
    name: str | None = None
    account: str | None = None
    allusers: bool = False


@dataclass(frozen=True)
class SubmissionReceipt:
    """Id of a submitted job, and sbatch's warning about it."""

    job_id: str
    warning: str = ""


class ResourceKind(str, Enum):
    """Resources that `scontrol show` describes."""

    JOB = "job"
    NODES = "nodes"
    PARTITIONS = "partitions"
    RESERVATIONS = "reservations"


ACCOUNT_FIELDS = "JobID,Partition,JobName,User,State,Start,CPUTime,End,NNodes,NodeList,ExitCode,Elapsed"
"""Columns of `Runner.account`, with sacct's names."""
QUEUE_FIELDS = "JobID,Partition,Name,User,State,TimeUsed,StartTime,TimeLeft,NumNodes,ReasonList"
"""Columns of `Runner.queue`, with squeue's names."""


class Runner(Protocol):
    """A scheduler: Slurm, or an imitation.

    Every method raises `SchedulerError` with the scheduler's message on failure.
    """

    @property
    def version(self) -> str:
        """The Slurm version, possibly imitated."""
        ...

    async def start(self) -> None:
        """Prepare the runner; called once, on the server's event loop."""
        ...

    async def stop(self) -> None:
        """Cancel all jobs that were submitted here, and wait for the end of their processes."""
        ...

    async def submit(self, description: JobDescription, *, over_rest: bool = False) -> SubmissionReceipt:
        """Submit a job.

        Args:
            description: the job.
            over_rest: submit through slurmrestd, which reads no `#SBATCH` lines and adds no variables.
        """
        ...

    async def jobs(self, query: JobQuery) -> list[Job]:
        """Return the jobs that match a query."""
        ...

    async def job(self, job_id: str) -> list[Job]:
        """Return a job or all tasks of an array; an unknown id has no jobs."""
        ...

    async def metadata(self, job_id: str) -> list[JobMetadata]:
        """Return a job's script and files; an unknown id has none."""
        ...

    async def attach(self, job_id: str, command: str) -> None:
        """Run a command inside a running job and wait for it."""
        ...

    async def cancel(self, job_id: str) -> None:
        """Cancel a job. An unknown or finished job is an error, as with `scancel --verbose`."""
        ...

    async def nodes(self) -> list[Node]:
        """Return the nodes."""
        ...

    async def partitions(self, *, hidden: bool) -> list[Partition]:
        """Return the partitions, optionally including hidden ones."""
        ...

    async def reservations(self) -> list[Reservation]:
        """Return the reservations."""
        ...

    async def accounts(self) -> list[Account]:
        """Return the user's accounts."""
        ...

    async def account(self, ids: Sequence[str], *, since: str = "") -> list[Mapping[str, str]]:
        """Return the rows of `sacct -X`, by column.

        Args:
            ids: ids of jobs, arrays and their tasks; if empty, all jobs of today.
            since: another first day, `YYYY-MM-DD`.
        """
        ...

    async def queue(self, ids: Sequence[str]) -> list[Mapping[str, str]]:
        """Return the rows of squeue for the user's jobs, all or the given ones, by column."""
        ...

    async def show(self, kind: ResourceKind, name: str = "") -> list[Mapping[str, str]]:
        """Return the output of `scontrol show -o`, by attribute."""
        ...
