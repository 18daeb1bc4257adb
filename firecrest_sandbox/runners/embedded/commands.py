"""Output of Slurm's commands for the embedded jobs, which FirecREST v1 parses."""

from __future__ import annotations

from datetime import date, datetime, timezone
from datetime import time as clock_time
from typing import TYPE_CHECKING

from firecrest_sandbox.errors import SchedulerError
from firecrest_sandbox.runners.base import ResourceKind
from firecrest_sandbox.runners.embedded import slurm_output
from firecrest_sandbox.runners.embedded.job_table import JobTable, is_job_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firecrest_sandbox.runners.embedded.inventory import Inventory


class Commands:
    """Imitation of `sacct`, `squeue` and `scontrol`.

    Args:
        job_table: the jobs.
        inventory: the simulated cluster.
        user: owner of the jobs.
        delay: seconds until accounting knows a new job completely.
    """

    def __init__(self, job_table: JobTable, inventory: Inventory, *, user: str, delay: float) -> None:
        self._job_table = job_table
        self._inventory = inventory
        self._user = user
        self._delay = delay

    def account(self, ids: Sequence[str], *, since: str = "") -> list[Mapping[str, str]]:
        """Return the rows of sacct. New jobs are missing, or stubs."""
        selected = [job_id for job_id in ids if job_id]
        for job_id in selected:
            if not is_job_id(job_id):
                raise SchedulerError.answered(1, f"sacct: fatal: Bad job/step specified: {job_id}\n")
        if selected:
            jobs = self._job_table.find(*selected)
        else:
            first_day = date.fromisoformat(since) if since else datetime.now(timezone.utc).astimezone().date()
            midnight = datetime.combine(first_day, clock_time.min).astimezone().timestamp()
            jobs = [job for job in self._job_table if not job.over or job.ended >= midnight]
        return slurm_output.account(jobs, user=self._user, delay=self._delay)

    def queue(self, ids: Sequence[str]) -> list[Mapping[str, str]]:
        """Return the rows of squeue."""
        jobs = self._job_table.find(*ids) if ids else list(self._job_table)
        if len(ids) == 1 and not jobs:
            raise SchedulerError.answered(1, "slurm_load_jobs error: Invalid job id specified\n")
        return slurm_output.queue(jobs, user=self._user)

    def show(self, kind: ResourceKind, name: str = "") -> list[Mapping[str, str]]:
        """Return the output of scontrol; there are no reservations."""
        if kind is ResourceKind.JOB:
            jobs = self._job_table.find(name)
            if not jobs:
                raise SchedulerError.answered(1, "slurm_load_jobs error: Invalid job id specified\n")
            return [slurm_output.job(jobs[0], user=self._user)]
        if kind is ResourceKind.NODES:
            nodes = [slurm_output.node(node) for node in self._inventory.nodes() if name in ("", node.name)]
            if not nodes:
                raise SchedulerError.answered(1, f"Node {name} not found\n")
            return nodes
        if kind is ResourceKind.PARTITIONS:
            return slurm_output.partitions(self._inventory.partitions())
        return []
