"""A site with PBS, whose commands are missing: enough for clients that support only Slurm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from firecrest_sandbox.errors import SchedulerError

if TYPE_CHECKING:
    from firecrest_sandbox.records import (
        Account,
        Job,
        JobDescription,
        JobMetadata,
        Node,
        Partition,
        Reservation,
    )
    from firecrest_sandbox.runners.base import JobQuery, ResourceKind, SubmissionReceipt


def _missing(command: str, answer: str = "command") -> NoReturn:
    raise SchedulerError.pbs_answered(127, f"bash: line 1: {command}: command not found\n", answer=answer)


class PbsRunner:
    """Runner without jobs; see `runners.base.Runner`.

    The answers are those of firecrest-v2 at 35e1d08 on a system without PBS's commands.
    """

    version = "23.06.06"

    async def start(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""

    async def submit(self, description: JobDescription, *, over_rest: bool = False) -> SubmissionReceipt:
        """Fail in qsub."""
        del description, over_rest
        _missing("qsub")

    async def jobs(self, query: JobQuery) -> list[Job]:
        """Fail in qstat."""
        del query
        _missing("qstat")

    async def job(self, job_id: str) -> list[Job]:
        """Fail in qstat."""
        del job_id
        _missing("qstat")

    async def metadata(self, job_id: str) -> list[JobMetadata]:
        """Fail in qstat."""
        del job_id
        _missing("qstat")

    async def attach(self, job_id: str, command: str) -> None:
        """Refuse: PBS has no such command."""
        del job_id, command
        raise SchedulerError(500, "Interactive attach is not supported in PBS CLI client", stderr="")

    async def cancel(self, job_id: str) -> None:
        """Fail in qdel."""
        del job_id
        _missing("qdel")

    async def nodes(self) -> list[Node]:
        """Fail in pbsnodes."""
        _missing("pbsnodes", "pbsnodes")

    async def partitions(self, *, hidden: bool) -> list[Partition]:
        """Fail in qstat."""
        del hidden
        _missing("qstat")

    async def reservations(self) -> list[Reservation]:
        """Fail in pbs_rstat."""
        _missing("pbs_rstat", "qstat")

    async def accounts(self) -> list[Account]:
        """Return no accounts, as the real gateway does with PBS."""
        return []

    async def account(self, ids: Sequence[str], *, since: str = "") -> list[Mapping[str, str]]:
        """Fail in sacct."""
        del ids, since
        _missing("sacct")

    async def queue(self, ids: Sequence[str]) -> list[Mapping[str, str]]:
        """Fail in squeue."""
        del ids
        _missing("squeue")

    async def show(self, kind: ResourceKind, name: str = "") -> list[Mapping[str, str]]:
        """Fail in scontrol."""
        del kind, name
        _missing("scontrol")
