"""What Slurm's own commands would print of the jobs and the machine, which is what FirecREST v1 reads."""

from __future__ import annotations

from datetime import date, datetime, timezone
from datetime import time as clock_time
from typing import TYPE_CHECKING

from reframe_firecrest.sandbox.errors import SchedulerError
from reframe_firecrest.sandbox.runners.base import Thing
from reframe_firecrest.sandbox.runners.embedded import printed
from reframe_firecrest.sandbox.runners.embedded.roster import Roster, is_job_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reframe_firecrest.sandbox.runners.embedded.inventory import Inventory


class Commands:
    """Answers as ``sacct``, ``squeue`` and ``scontrol`` do.

    Args:
        roster: the jobs.
        inventory: the machine.
        user: whose jobs they are.
        delay: seconds for which the accounting has only just heard of a job.
    """

    def __init__(self, roster: Roster, inventory: Inventory, *, user: str, delay: float) -> None:
        self._roster = roster
        self._inventory = inventory
        self._user = user
        self._delay = delay

    def account(self, ids: Sequence[str], *, since: str = "") -> list[Mapping[str, str]]:
        """Return the rows of sacct; jobs that are too young are missing, or stubs."""
        asked = [job_id for job_id in ids if job_id]
        for job_id in asked:
            if not is_job_id(job_id):
                raise SchedulerError.answered(1, f"sacct: fatal: Bad job/step specified: {job_id}\n")
        if asked:
            jobs = self._roster.find(*asked)
        else:
            first_day = date.fromisoformat(since) if since else datetime.now(timezone.utc).astimezone().date()
            midnight = datetime.combine(first_day, clock_time.min).astimezone().timestamp()
            jobs = [job for job in self._roster if not job.over or job.ended >= midnight]
        return printed.account(jobs, user=self._user, delay=self._delay)

    def queue(self, ids: Sequence[str]) -> list[Mapping[str, str]]:
        """Return the rows of squeue."""
        jobs = self._roster.find(*ids) if ids else list(self._roster)
        if len(ids) == 1 and not jobs:
            raise SchedulerError.answered(1, "slurm_load_jobs error: Invalid job id specified\n")
        return printed.queue(jobs, user=self._user)

    def show(self, thing: Thing, name: str = "") -> list[Mapping[str, str]]:
        """Return what scontrol would show; there are no reservations."""
        if thing is Thing.JOB:
            found = self._roster.find(name)
            if not found:
                raise SchedulerError.answered(1, "slurm_load_jobs error: Invalid job id specified\n")
            return [printed.job(found[0], user=self._user)]
        if thing is Thing.NODES:
            nodes = [printed.node(node) for node in self._inventory.nodes() if name in ("", node.name)]
            if not nodes:
                raise SchedulerError.answered(1, f"Node {name} not found\n")
            return nodes
        if thing is Thing.PARTITIONS:
            return printed.partitions(self._inventory.partitions())
        return []
