"""The embedded runner: a queue, time limits and processes."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from firecrest_sandbox.errors import SchedulerError
from firecrest_sandbox.processes import run_command
from firecrest_sandbox.records import Account, Job, JobMetadata, Node, Partition, Reservation
from firecrest_sandbox.runners.base import ResourceKind, SubmissionReceipt
from firecrest_sandbox.runners.embedded import rest_views
from firecrest_sandbox.runners.embedded.commands import Commands
from firecrest_sandbox.runners.embedded.directives import JobSpec, SbatchError
from firecrest_sandbox.runners.embedded.environment import output_paths
from firecrest_sandbox.runners.embedded.execution import Execution
from firecrest_sandbox.runners.embedded.history import past_jobs
from firecrest_sandbox.runners.embedded.inventory import Inventory
from firecrest_sandbox.runners.embedded.job_table import JobTable, is_job_id
from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob, State
from firecrest_sandbox.runners.embedded.parsed import as_parsed
from firecrest_sandbox.runners.embedded.queue import Queue
from firecrest_sandbox.runners.embedded.submission import (
    check_quota,
    check_submission,
    read_submission,
    refusal,
)
from firecrest_sandbox.runners.embedded.views import JobViews

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from firecrest_sandbox.config import SandboxConfig
    from firecrest_sandbox.records import JobDescription
    from firecrest_sandbox.runners.base import JobQuery

_GRACE_PERIOD = 0.5
_UNKNOWN_JOB = "Invalid job id specified"
_LOGGER = logging.getLogger(__name__)


class EmbeddedRunner:
    """Runner of jobs as local processes; see `runners.base.Runner`."""

    version = "22.05.8"

    def __init__(self, config: SandboxConfig, *, spool: Path, home: Path, user: str, group: str) -> None:
        self._config = config
        self._user = user
        self._over_ssh = config.connection == "ssh"
        self._spool = spool
        self._views = JobViews(cluster=config.system, user=user, group=group)
        self._execution = Execution(spool, cluster=config.system, user=user, home=str(home))
        self._queue = Queue([f"nid{n:03}" for n in range(1, config.nodes + 1)], config.cpus)
        self._jobs = JobTable()
        self._inventory = Inventory(config, self._queue)
        self._commands = Commands(self._jobs, self._inventory, user=user, delay=config.accounting_delay)
        self._last_number = 0
        self._supervisors: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Create the spool directory, and the jobs of the past."""
        await asyncio.to_thread(self._execution.prepare)
        if self._config.history:
            for job in past_jobs(self._config, self._spool / "history", self._user):
                self._jobs.add(job)
            self._last_number = self._config.history

    async def stop(self) -> None:
        """Cancel all jobs, with a short grace period."""
        for job in self._jobs:
            if job.state is State.PENDING:
                self._cancel_waiting(job)
        running = [job for job in self._jobs if job.state is State.RUNNING]
        for job in running:
            job.ending = State.CANCELLED
        await asyncio.gather(*(self._execution.end(job, wait=_GRACE_PERIOD) for job in running))
        await asyncio.gather(*self._supervisors)

    async def submit(self, description: JobDescription, *, over_rest: bool = False) -> SubmissionReceipt:
        """Queue a job, and start it if it fits."""
        try:
            spec = await asyncio.to_thread(read_submission, description, over_rest=over_rest)
            check_submission(spec, self._config, self._queue.nodes)
            check_quota(spec, sum(not job.over for job in self._jobs), self._config.max_submitted_jobs)
        except SbatchError as error:
            raise refusal(error, over_rest=over_rest) from None
        number = self._new_number()
        if spec.array is None:
            self._add(spec, number)
        else:
            for index in spec.array.indices:
                self._add(spec, number, array_index=index)
        self._schedule()
        return SubmissionReceipt(str(number))

    def _new_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _add(self, spec: JobSpec, number: int, *, array_index: int | None = None) -> None:
        limit = spec.time_limit
        if limit is None and not spec.unlimited:
            limit = self._config.default_time_limit
        job = EmbeddedJob(
            number=number,
            spec=spec,
            time_limit=limit,
            partition=spec.partition or self._config.partitions[0],
            account=spec.account or self._config.accounts[0],
            array_id=None if array_index is None else number,
            array_index=array_index,
        )
        self._jobs.add(job)
        self._queue.add(job)

    def _schedule(self) -> None:
        for job, allocation in self._queue.startable():
            job.allocation = allocation
            last_of_array = job.array_id is not None and not self._queue.waits(job.array_id)
            if job.array_id is not None and not last_of_array:
                job.number = self._new_number()
            job.move(State.RUNNING)
            task = asyncio.get_running_loop().create_task(self._supervise(job))
            self._supervisors.add(task)
            task.add_done_callback(self._supervisors.discard)

    async def _supervise(self, job: EmbeddedJob) -> None:
        try:
            await self._run(job)
            await self._execution.kill_remaining(job)
        except Exception:
            _LOGGER.exception("the sandbox failed to run job %s", job.display_id)
            job.ending = job.ending or State.FAILED
        finally:
            job.move(_outcome(job))
            self._queue.release(job)
            self._schedule()

    async def _run(self, job: EmbeddedJob) -> None:
        if job.allocation is None:
            raise ValueError(f"job {job.display_id} has no nodes")
        try:
            await self._execution.start(job, job.allocation)
        except OSError:
            # Slurm's accounting gives no other reason for such a job.
            job.exit_code = 1
            return
        if job.process is None or job.ending is not None:
            # Cancelled during its start.
            await self._execution.end(job, wait=_GRACE_PERIOD)
            return
        try:
            code = await asyncio.wait_for(job.process.wait(), job.time_limit)
        except asyncio.TimeoutError:
            job.ending = State.TIMEOUT
            self._execution.report(job, " DUE TO TIME LIMIT")
            await self._execution.end(job, wait=self._config.kill_wait)
        else:
            job.exit_code, job.signal = (code, 0) if code >= 0 else (0, -code)

    def _cancel_waiting(self, job: EmbeddedJob) -> None:
        job.move(State.CANCELLED)
        self._queue.remove(job)

    async def cancel(self, job_id: str) -> None:
        """Cancel a job, one task of an array or all of them."""
        if not is_job_id(job_id):
            raise SchedulerError.answered(1, f"scancel: error: Invalid job id {job_id}\n")
        jobs = self._jobs.find(job_id)
        alive = [job for job in jobs if not job.over]
        if jobs and not alive and not self._over_ssh:
            return
        if not alive and not self._over_ssh:
            raise SchedulerError.rest_answered(_UNKNOWN_JOB)
        if not alive:
            reason = "Job/step already completing or completed" if jobs else "Invalid job id specified"
            raise SchedulerError.answered(
                0,
                f"scancel: Terminating job {job_id}\n"
                f"scancel: error: Kill job error on job id {job_id}: {reason}\n",
            )
        for job in alive:
            if job.state is State.PENDING:
                self._cancel_waiting(job)
            elif job.ending is None:
                job.ending = State.CANCELLED
                self._execution.report(job, "")
                ending = self._execution.end(job, wait=self._config.kill_wait)
                task = asyncio.get_running_loop().create_task(ending)
                self._supervisors.add(task)
                task.add_done_callback(self._supervisors.discard)
        self._schedule()

    async def attach(self, job_id: str, command: str) -> None:
        """Run `srun` inside a job; with slurmrestd, the real gateway does nothing and reports success."""
        if not self._over_ssh:
            return
        job = next((job for job in self._jobs.find(job_id) if job.state is State.RUNNING), None)
        if job is None or job.allocation is None:
            raise SchedulerError.answered(
                1, "srun: error: Unable to confirm allocation for job: Invalid job id specified\n"
            )
        finished = await run_command(
            ["bash", "-c", f"srun --overlap {command}"],
            timeout=self._config.operation_timeout,
            output_limit=self._config.buffer_limit,
            env=self._execution.environment(job, job.allocation),
            cwd=job.spec.directory,
        )
        if finished.status != 0:
            raise SchedulerError.answered(finished.status, finished.stderr)

    async def jobs(self, query: JobQuery) -> list[Job]:
        """Return the job list, without jobs that ended during the list gap."""
        now = time.time()
        # slurmrestd asks the controller, too, which knows a job longer than that.
        gap = self._config.list_gap if self._over_ssh else 0.0
        names = None if query.name is None else self._names(query.name)
        accounts = None if query.account is None else query.account.split(",")
        shown = [
            job
            for job in self._jobs
            if (names is None or job.spec.name in names)
            and (accounts is None or job.account in accounts)
            and not (job.over and not gap <= now - job.ended <= query.time_window.seconds)
        ]
        return await self._show(shown)

    def _names(self, name: str) -> list[str]:
        """Return the names that a filter selects; the gateway compares slurmrestd's answers with only one."""
        return name.split(",") if self._over_ssh else [name]

    async def job(self, job_id: str) -> list[Job]:
        """Return one job or array."""
        if not job_id.isdigit():
            if not self._over_ssh:
                raise SchedulerError.rest_answered(_UNKNOWN_JOB)
            raise SchedulerError.query_answered(1, f"sacct: fatal: Bad job/step specified: {job_id}\n")
        return await self._show(self._jobs.find(job_id))

    async def _show(self, jobs: Sequence[EmbeddedJob]) -> list[Job]:
        if not self._over_ssh:
            return await asyncio.to_thread(rest_views.show, jobs, self._views.record)
        return as_parsed(await asyncio.to_thread(self._views.show, jobs), self._config.buffer_limit)

    async def metadata(self, job_id: str) -> list[JobMetadata]:
        """Return a job's script and files; for an array only once, as in the real gateway."""
        jobs = self._jobs.find(job_id)
        if not jobs:
            return []
        output, error = output_paths(jobs[0], user=self._user)
        return [
            JobMetadata(
                job_id=job_id,
                script=jobs[0].spec.script,
                standard_input=jobs[0].spec.input,
                standard_output=output,
                standard_error=error,
            )
        ]

    async def nodes(self) -> list[Node]:
        """Return the simulated nodes."""
        return self._inventory.nodes()

    async def partitions(self, *, hidden: bool) -> list[Partition]:  # noqa: ARG002  no partition is hidden
        """Return the partitions."""
        return self._inventory.partitions()

    async def reservations(self) -> list[Reservation]:
        """Return no reservation."""
        return []

    async def accounts(self) -> list[Account]:
        """Return the accounts."""
        return self._inventory.accounts()

    async def account(self, ids: Sequence[str], *, since: str = "") -> list[Mapping[str, str]]:
        """Return the rows of sacct."""
        return self._commands.account(ids, since=since)

    async def queue(self, ids: Sequence[str]) -> list[Mapping[str, str]]:
        """Return the rows of squeue."""
        return self._commands.queue(ids)

    async def show(self, kind: ResourceKind, name: str = "") -> list[Mapping[str, str]]:
        """Return the output of scontrol."""
        return self._commands.show(kind, name)


def _outcome(job: EmbeddedJob) -> State:
    if job.ending is not None:
        return job.ending
    return State.FAILED if job.exit_code or job.signal else State.COMPLETED
