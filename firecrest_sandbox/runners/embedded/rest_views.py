"""Jobs of the embedded runner, as the real gateway merges the answers of slurmrestd.

It asks slurmdbd and the controller. The first record of an id is kept, unless a later one is pending
(eth-cscs/firecrest-v2 at 35e1d08, slurm_rest_client.py and models.py; the values are those of its own
recordings of slurmrestd 24.11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from firecrest_sandbox.runners.embedded.jobs import State

if TYPE_CHECKING:
    from firecrest_sandbox.records import Job, JobStatus, JobTask, JobTime
    from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob

_CANCELLED_BY = "CANCELLED by "


def show(jobs: Iterable[EmbeddedJob], record: Callable[[EmbeddedJob, str], Job]) -> list[Job]:
    """Return the records of jobs. Tasks of an array have their own ids, never `7_2`.

    Args:
        jobs: the jobs.
        record: returns a job's record in the form of SSH mode, with the given id.
    """
    shown: dict[str, Job] = {}
    for job in jobs:
        if job.state is State.PENDING:
            job_id = str(job.array_id or job.number)
            shown[job_id] = _waiting(record(job, job_id))
        else:
            shown.setdefault(str(job.number), _accounted(record(job, str(job.number))))
    return list(shown.values())


def _accounted(job: Job) -> Job:
    state = job.status.state
    cancelled = state.startswith(_CANCELLED_BY)
    status = job.status.model_copy(update={"state": "CANCELLED" if cancelled else state})
    return job.model_copy(
        update={
            "status": _with_signal(status),
            "time": _without_nulls(job.time),
            "tasks": [_step(task) for task in job.tasks or ()],
            "kill_request_user": job.user if cancelled else "",
        }
    )


def _waiting(job: Job) -> Job:
    """Return the controller's record, which has neither steps nor a group."""
    status = job.status.model_copy(update={"exit_code": 0, "interrupt_signal": None})
    times = {"elapsed": None, "start": 0, "end": 0, "suspended": 0}
    return job.model_copy(
        update={
            "status": status,
            "time": job.time.model_copy(update=times),
            "tasks": None,
            "allocation_nodes": 0,
            "group": None,
        }
    )


def _step(task: JobTask) -> JobTask:
    return task.model_copy(update={"status": _with_signal(task.status), "time": _without_nulls(task.time)})


def _with_signal(status: JobStatus) -> JobStatus:
    return status.model_copy(update={"interrupt_signal": status.interrupt_signal or None})


def _without_nulls(times: JobTime) -> JobTime:
    return times.model_copy(update={"start": times.start or 0, "end": times.end or 0})
