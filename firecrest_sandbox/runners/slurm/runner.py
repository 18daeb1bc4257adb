"""The Slurm runner. Each method calls one or two Slurm commands as the server's user."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from firecrest_sandbox.errors import OutputLimitError, SchedulerError
from firecrest_sandbox.processes import Finished, login_environment
from firecrest_sandbox.records import Account, Job, JobMetadata, Node, Partition, Reservation
from firecrest_sandbox.runners.base import ACCOUNT_FIELDS, QUEUE_FIELDS, ResourceKind, SubmissionReceipt
from firecrest_sandbox.runners.slurm import parsing
from firecrest_sandbox.runners.slurm.commands import is_unknown_job, plain_times, run, run_checked, squeue

if TYPE_CHECKING:
    from firecrest_sandbox.config import SandboxConfig
    from firecrest_sandbox.records import JobDescription
    from firecrest_sandbox.runners.base import JobQuery

_QUOTA = re.compile(r"\b(?:QOS|Assoc)(?:Max|Min)\w*Limit\b", re.IGNORECASE)
_SUBMITTED = re.compile(r"Submitted batch job (\d+)")
_SCANCEL_ERROR = re.compile(r"error:", re.IGNORECASE)
_STOP_TIMEOUT = 15.0
_POLL_INTERVAL = 0.25
_ALIVE = ("PENDING", "RUNNING", "COMPLETING")
_SBATCH_OPTIONS = {
    "partition": "partition",
    "reservation": "reservation",
    "account": "account",
    "name": "job-name",
    "standard_error": "error",
    "standard_output": "output",
    "standard_input": "input",
    "constraints": "constraint",
}


class SlurmRunner:
    """Runner on top of Slurm; see `runners.base.Runner`."""

    def __init__(self, config: SandboxConfig, *, user: str, home: Path, version: str) -> None:
        self.version = version
        self._config = config
        self._user = user
        self._home = home
        self._submitted: list[str] = []

    async def start(self) -> None:
        """Do nothing: Slurm runs already."""

    async def stop(self) -> None:
        """Cancel the unfinished jobs that were submitted here, and wait for their end."""
        alive = await self._alive()
        if alive:
            await run(["scancel", *alive])
        deadline = time.monotonic() + _STOP_TIMEOUT
        while alive and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_INTERVAL)
            alive = await self._alive()

    async def _alive(self) -> list[str]:
        if not self._submitted:
            return []
        argv = ["squeue", "--noheader", f"--user={self._user}", "--Format=ArrayJobID:|,JobID:|"]
        listed = await run(argv)
        known = set(self._submitted)
        ids = (line.split("|")[:2] for line in listed.text.splitlines())
        return sorted({array_id for array_id, *_ in ids if array_id in known})

    async def submit(self, description: JobDescription, *, over_rest: bool = False) -> SubmissionReceipt:  # noqa: ARG002  embedded only
        """Run sbatch with the options of the real gateway."""
        argv = [
            "sbatch",
            f"--export={description.exported()}",
            f"--chdir={description.working_directory}",
        ]
        for field, option in _SBATCH_OPTIONS.items():
            if value := getattr(description, field):
                argv.append(f"--{option}={value}")
        script = None
        if description.script_path:
            argv += ["--", description.script_path]
        else:
            script = description.script.encode()
        # The job inherits sbatch's environment, so the language of messages is not changed.
        finished = await run(argv, stdin=script, env=login_environment(), cwd=self._home)
        if finished.status != 0 and _QUOTA.search(finished.stderr):
            raise SchedulerError.over_quota(finished.stderr)
        match = _SUBMITTED.search(finished.text)
        if finished.status != 0 or match is None:
            raise SchedulerError.answered(finished.status, finished.stderr)
        self._submitted.append(match[1])
        return SubmissionReceipt(match[1], finished.stderr)

    async def jobs(self, query: JobQuery) -> list[Job]:
        """Merge sacct's and squeue's lists."""
        filters = {"--account": query.account, "--name": query.name}
        chosen = [f"{option}={value}" for option, value in filters.items() if value]
        accounted, queued = await asyncio.gather(
            self._query(
                "sacct",
                "--parsable2",
                "--noheader",
                f"--format={parsing.SACCT_FIELDS}",
                f"--starttime=now-{query.time_window.seconds}",
                *(["--allusers"] if query.allusers else []),
                *chosen,
            ),
            self._query(
                *squeue(),
                *([] if query.allusers else [f"--user={self._user}"]),
                *chosen,
            ),
        )
        jobs = parsing.merged(parsing.accounted_jobs(accounted.text), parsing.queued_jobs(queued.text))
        return self._without_just_ended(jobs)

    async def _query(self, *argv: str) -> Finished:
        try:
            finished = await run(argv, output_limit=self._config.buffer_limit)
        except OutputLimitError:
            raise SchedulerError.query_overflowed() from None
        if finished.status != 0 and not is_unknown_job(finished):
            raise SchedulerError.query_answered(finished.status, finished.stderr)
        return finished

    def _without_just_ended(self, jobs: list[Job]) -> list[Job]:
        gap_began = time.time() - self._config.list_gap
        return [
            job
            for job in jobs
            if job.status.state in _ALIVE or job.time.end is None or job.time.end < gap_began
        ]

    async def job(self, job_id: str) -> list[Job]:
        """Merge sacct's and squeue's records of one job."""
        accounted, queued = await asyncio.gather(
            self._query(
                "sacct",
                "--parsable2",
                "--noheader",
                "--allusers",
                f"--jobs={job_id}",
                f"--format={parsing.SACCT_FIELDS}",
            ),
            self._query(*squeue(), f"--jobs={job_id}"),
        )
        return parsing.merged(parsing.accounted_jobs(accounted.text), parsing.queued_jobs(queued.text))

    async def metadata(self, job_id: str) -> list[JobMetadata]:
        """Call scontrol, which forgets a job some minutes after its end."""
        shown, script = await asyncio.gather(
            run(["scontrol", "show", "-o", "job", job_id]),
            run(["scontrol", "write", "batch_script", job_id, "-"]),
        )
        if is_unknown_job(shown):
            return []
        for finished in (shown, script):
            if finished.status != 0:
                raise SchedulerError.answered(finished.status, finished.stderr)
        return parsing.metadata(job_id, shown.text, script.text)

    async def attach(self, job_id: str, command: str) -> None:
        """Run `srun --overlap`; the command is the user's own shell text."""
        await run_checked("bash", "-c", f"srun --jobid={job_id} --overlap {command}")

    async def cancel(self, job_id: str) -> None:
        """Run scancel, which reports unknown jobs only on standard error."""
        finished = await run_checked("scancel", "--verbose", job_id)
        if _SCANCEL_ERROR.search(finished.stderr):
            raise SchedulerError.answered(finished.status, finished.stderr)

    async def nodes(self) -> list[Node]:
        """Call sinfo."""
        shown = await run_checked("sinfo", "-a", "-N", "--noheader", f"--format={parsing.SINFO_FORMAT}")
        return parsing.nodes(shown.text)

    async def partitions(self, *, hidden: bool) -> list[Partition]:
        """Call scontrol."""
        return parsing.partitions(await self._shown(ResourceKind.PARTITIONS), hidden=hidden)

    async def reservations(self) -> list[Reservation]:
        """Call scontrol."""
        return parsing.reservations(await self._shown(ResourceKind.RESERVATIONS))

    async def accounts(self) -> list[Account]:
        """Call sacctmgr."""
        names, default = await asyncio.gather(
            run_checked("sacctmgr", "-nP", "show", "assoc", f"user={self._user}", "format=account"),
            run_checked("sacctmgr", "-nP", "show", "user", self._user, "format=defaultaccount"),
        )
        return [
            Account(name=name, default=name == default.text.strip())
            for name in dict.fromkeys(names.text.split())
        ]

    async def account(self, ids: Sequence[str], *, since: str = "") -> list[Mapping[str, str]]:
        """Call sacct, as FirecREST v1 does."""
        chosen = [f"--starttime={since}"] if since else []
        finished = await run_checked(
            "sacct",
            "-X",
            "--noheader",
            "--parsable2",
            f"--format={ACCOUNT_FIELDS}",
            f"--jobs={','.join(ids)}",
            *chosen,
            env=plain_times(),
        )
        return [row.values for row in parsing.rows(finished.text, ACCOUNT_FIELDS)]

    async def queue(self, ids: Sequence[str]) -> list[Mapping[str, str]]:
        """Call squeue, as FirecREST v1 does."""
        chosen = [f"--jobs={','.join(ids)}"] if ids else []
        finished = await run_checked(
            "squeue",
            f"--user={self._user}",
            "--noheader",
            f"--format={parsing.QUEUE_FORMAT}",
            *chosen,
            env=plain_times(),
        )
        return [row.values for row in parsing.rows(finished.text, QUEUE_FIELDS)]

    async def show(self, kind: ResourceKind, name: str = "") -> list[Mapping[str, str]]:
        """Call scontrol."""
        return await self._shown(kind, name, env=plain_times())

    async def _shown(
        self, kind: ResourceKind, name: str = "", env: Mapping[str, str] | None = None
    ) -> list[Mapping[str, str]]:
        named = [name] if name else []
        finished = await run(["scontrol", "-a", "show", "-o", kind.value, *named], env=env)
        if finished.status != 0:
            # scontrol reports unknown nodes on standard output.
            raise SchedulerError.answered(finished.status, finished.stderr or finished.text)
        return parsing.attributes(finished.text)
