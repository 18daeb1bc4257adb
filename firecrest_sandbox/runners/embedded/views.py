"""Jobs of the embedded runner, as the real gateway merges sacct and squeue."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from typing import Any

from firecrest_sandbox.records import Job, JobStatus, JobTask, JobTime
from firecrest_sandbox.runners.embedded.arrays import folded
from firecrest_sandbox.runners.embedded.environment import folded_nodes
from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob, State
from firecrest_sandbox.runners.embedded.placement import required_nodes

_STEP_STATE = {State.TIMEOUT: "CANCELLED", State.CANCELLED: "CANCELLED"}


class JobViews:
    """Conversion of jobs to records of the API."""

    def __init__(self, *, cluster: str, user: str, group: str) -> None:
        self._common = {"cluster": cluster, "user": user, "group": group, "priority": 1}
        self._ended: dict[EmbeddedJob, Job] = {}

    def show(self, jobs: Iterable[EmbeddedJob]) -> list[Job]:
        """Return the records of jobs.

        The waiting tasks of an array are one entry with the array's id. Tasks that were cancelled before they
        ran are one entry with their indices in brackets. A running task appears twice, with its index and
        with its own id, because sacct and squeue name it differently.
        """
        accounted: list[Job] = []
        queued: list[Job] = []
        waiting: dict[int | None, EmbeddedJob] = {}
        never_ran: dict[int, list[EmbeddedJob]] = {}
        for job in jobs:
            if job.state is State.PENDING and job.array_id in waiting and job.array_id:
                continue
            if job.state is State.PENDING:
                waiting[job.array_id] = job
                queued.append(self._waiting(job))
            elif job.array_id is not None and not job.started:
                never_ran.setdefault(job.array_id, []).append(job)
            else:
                accounted.append(self._cached(job) if job.over else self._accounted(job, job.display_id))
                if job.array_id is not None and job.state is State.RUNNING:
                    queued.append(self._running_by_own_id(job))
        for array_id, tasks in never_ran.items():
            name = f"{array_id}_{folded([task.array_index or 0 for task in tasks])}"
            accounted.append(self._accounted(tasks[0], name))
        return accounted + queued

    def _waiting(self, job: EmbeddedJob) -> Job:
        return self._record(
            job,
            str(job.array_id or job.number),
            JobStatus(state="PENDING", state_reason=job.reason.value),
            JobTime(elapsed=0, limit=job.time_limit),
            nodes="",
            count=required_nodes(job.spec),
        )

    def _running_by_own_id(self, job: EmbeddedJob) -> Job:
        start = int(job.started)
        end = None if job.time_limit is None else start + job.time_limit
        return self._record(
            job,
            str(job.number),
            JobStatus(state="RUNNING", state_reason="None"),
            JobTime(elapsed=_elapsed(job), start=start, end=end, limit=job.time_limit),
        )

    def record(self, job: EmbeddedJob, job_id: str) -> Job:
        """Return the record of one job with the given id."""
        if job.state is State.PENDING:
            return self._waiting(job)
        return self._cached(job) if job.over and job_id == job.display_id else self._accounted(job, job_id)

    def _cached(self, job: EmbeddedJob) -> Job:
        """Return the record of an ended job. It is final, so the steps are read only once."""
        if job not in self._ended:
            self._ended[job] = self._accounted(job, job.display_id)
        return self._ended[job]

    def _accounted(self, job: EmbeddedJob, job_id: str) -> Job:
        state = job.state.value
        if job.state is State.CANCELLED:
            state = f"CANCELLED by {os.getuid()}"
        ran = bool(job.started)
        return self._record(
            job,
            job_id,
            JobStatus(
                state=state,
                state_reason="None",
                exit_code=job.exit_code,
                interrupt_signal=0 if job.state in _STEP_STATE else job.signal,
            ),
            JobTime(
                elapsed=_elapsed(job),
                start=int(job.started) if ran else None,
                end=int(job.ended) or None,
                suspended=0,
                limit=job.time_limit,
            ),
            tasks=_steps(job, job_id) if ran else [],
        )

    def _record(
        self,
        job: EmbeddedJob,
        job_id: str,
        status: JobStatus,
        times: JobTime,
        *,
        nodes: str | None = None,
        count: int | None = None,
        tasks: list[JobTask] | None = None,
    ) -> Job:
        names = job.allocation.nodes if job.allocation else []
        listed = folded_nodes(names) if names else "None assigned"
        fields: dict[str, Any] = dict(self._common)
        return Job(
            job_id=job_id,
            name=job.spec.name,
            status=status,
            tasks=tasks or [],
            time=times,
            account=job.account,
            allocation_nodes=len(names) if count is None else count,
            nodes=listed if nodes is None else nodes,
            partition=job.partition,
            working_directory=job.spec.directory,
            **fields,
        )


def _elapsed(job: EmbeddedJob) -> int:
    return int((job.ended or time.time()) - job.started) if job.started else 0


def _steps(job: EmbeddedJob, job_id: str) -> list[JobTask]:
    stopped = job.state in _STEP_STATE
    batch = JobTask(
        id=f"{job_id}.batch",
        name="batch",
        status=JobStatus(
            state=_STEP_STATE.get(job.state, job.state.value),
            exit_code=0 if stopped else job.exit_code,
            interrupt_signal=signal.SIGTERM.value if stopped else job.signal,
        ),
        time=JobTime(
            elapsed=_elapsed(job),
            start=int(job.started),
            end=int(job.ended) or None,
            suspended=0,
        ),
    )
    return [batch, *(_step(job, job_id, record) for record in _step_records(job))]


def _step_records(job: EmbeddedJob) -> list[dict[str, Any]]:
    if job.spool is None:
        return []
    records = [json.loads(file.read_text()) for file in (job.spool / "steps").glob("*.json")]
    return sorted(records, key=lambda record: int(record["id"]))


def _step(job: EmbeddedJob, job_id: str, record: dict[str, Any]) -> JobTask:
    end, state = record["end"], record["state"]
    if end is None and job.over:
        end, state = job.ended, "CANCELLED"
    return JobTask(
        id=f"{job_id}.{record['id']}",
        name=record["name"],
        status=JobStatus(state=state, exit_code=record["exit_code"], interrupt_signal=record["signal"]),
        time=JobTime(
            elapsed=int((end or time.time()) - record["start"]),
            start=int(record["start"]),
            end=None if end is None else int(end),
            suspended=0,
        ),
    )
