"""The one interface of all runners."""

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
    """Which jobs a list shows; pending and running ones are in every time window."""

    time_window: JobsTimeWindow
    name: str | None = None
    account: str | None = None
    allusers: bool = False


@dataclass(frozen=True)
class SubmissionReceipt:
    """A job that was queued, and what sbatch warned of all the same."""

    job_id: str
    warning: str = ""


class ResourceKind(str, Enum):
    """What `scontrol show` can describe."""

    JOB = "job"
    NODES = "nodes"
    PARTITIONS = "partitions"
    RESERVATIONS = "reservations"


ACCOUNT_FIELDS = "JobID,Partition,JobName,User,State,Start,CPUTime,End,NNodes,NodeList,ExitCode,Elapsed"
"""The columns of `Runner.account`, by sacct's names."""
QUEUE_FIELDS = "JobID,Partition,Name,User,State,TimeUsed,StartTime,TimeLeft,NumNodes,ReasonList"
"""The columns of `Runner.queue`, by squeue's names."""


class Runner(Protocol):
    """Runs jobs as Slurm does, or by Slurm.

    Every method that asks or tells the scheduler raises `SchedulerError` with the
    scheduler's complaint.
    """

    @property
    def version(self) -> str:
        """The Slurm version that it is, or claims to be."""
        ...

    async def start(self) -> None:
        """Get ready; called once, on the event loop that serves the requests."""
        ...

    async def stop(self) -> None:
        """End every job that was submitted here, and wait until its processes are gone."""
        ...

    async def submit(self, description: JobDescription) -> SubmissionReceipt:
        """Queue a job."""
        ...

    async def jobs(self, query: JobQuery) -> list[Job]:
        """Return the jobs of a list."""
        ...

    async def job(self, job_id: str) -> list[Job]:
        """Return a job, all tasks of an array, or nothing if the id is unknown."""
        ...

    async def metadata(self, job_id: str) -> list[JobMetadata]:
        """Return what was submitted, or nothing if the id is unknown."""
        ...

    async def attach(self, job_id: str, command: str) -> None:
        """Run a command inside a running job and wait for it."""
        ...

    async def cancel(self, job_id: str) -> None:
        """Cancel a job; an unknown or ended one is an error, as it is to `scancel --verbose`."""
        ...

    async def nodes(self) -> list[Node]:
        """Return the nodes."""
        ...

    async def partitions(self, *, hidden: bool) -> list[Partition]:
        """Return the partitions, with the hidden ones if asked."""
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
            ids: of jobs, arrays and their tasks; without any, all jobs of today.
            since: another first day, `YYYY-MM-DD`.
        """
        ...

    async def queue(self, ids: Sequence[str]) -> list[Mapping[str, str]]:
        """Return the rows of squeue for the user's jobs, all or these, by column."""
        ...

    async def show(self, thing: ResourceKind, name: str = "") -> list[Mapping[str, str]]:
        """Return what `scontrol show -o` tells, by attribute."""
        ...
