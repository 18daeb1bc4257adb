"""Jobs, nodes and partitions of the embedded runner in the format of Slurm's commands."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from firecrest_sandbox.runners.base import ACCOUNT_FIELDS, QUEUE_FIELDS
from firecrest_sandbox.runners.embedded.arrays import folded
from firecrest_sandbox.runners.embedded.environment import folded_nodes, output_paths
from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob, State
from firecrest_sandbox.runners.embedded.placement import required_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from firecrest_sandbox.records import Node, Partition

_DAY = 86_400
_DATE_FORMAT = "%Y-%m-%dT%H:%M:%S"
_STOPPED = (State.TIMEOUT, State.CANCELLED)
_STUB_NAME = "allocation"


def account(jobs: Iterable[EmbeddedJob], *, user: str, delay: float) -> list[Mapping[str, str]]:
    """Return the rows of `sacct -X`.

    Args:
        jobs: the jobs.
        user: owner of the jobs.
        delay: seconds after its submission until accounting knows a job completely. In the first half the job
            is missing, in the second half it is a stub (observed with slurmdbd).
    """
    now = time.time()
    rows: list[Mapping[str, str]] = []
    for job_id, job in _shown(jobs):
        age = now - job.submitted
        if age < delay / 2:
            continue
        row = _account_row(job_id, job, user)
        if age < delay and job.started:
            row |= {"JobName": _STUB_NAME, "Partition": ""}
            if not job.over:
                row |= {"State": State.PENDING.value, "NNodes": "0"}
        rows.append(row)
    return rows


def queue(jobs: Iterable[EmbeddedJob], *, user: str) -> list[Mapping[str, str]]:
    """Return the rows of squeue: waiting jobs, then running ones."""
    alive = [job for job in jobs if not job.over]
    newest_first = sorted(_shown(alive), key=lambda shown: (shown[1].state.value, -shown[1].number))
    return [_queue_row(job_id, job, user) for job_id, job in newest_first]


def job(one: EmbeddedJob, *, user: str) -> Mapping[str, str]:
    """Return the used attributes of `scontrol show job`."""
    output, error = output_paths(one, user=user)
    return {
        "JobId": str(one.number),
        "JobState": one.state.value,
        "Command": one.spec.command,
        "StdOut": output,
        "StdErr": error,
    }


def node(one: Node) -> Mapping[str, str]:
    """Return the used attributes of `scontrol show nodes`."""
    features = one.features if isinstance(one.features, str) else ",".join(one.features or ())
    return {
        "NodeName": one.name,
        "ActiveFeatures": features,
        "Partitions": ",".join(one.partitions or ()),
        "State": "+".join(state.value for state in one.state),
    }


def partitions(all_partitions: Sequence[Partition]) -> list[Mapping[str, str]]:
    """Return the used attributes of `scontrol show partitions`; the first partition is the default."""
    return [
        {
            "PartitionName": one.name,
            "State": str(one.partition),
            "TotalCPUs": str(one.cpus),
            "TotalNodes": str(one.total_nodes),
            "Default": "YES" if one is all_partitions[0] else "NO",
        }
        for one in all_partitions
    ]


def _shown(jobs: Iterable[EmbeddedJob]) -> Iterator[tuple[str, EmbeddedJob]]:
    """Yield the jobs with their rows' ids; tasks of an array that never started share a row."""
    unstarted: dict[tuple[int, State], list[EmbeddedJob]] = {}
    alone = []
    for one in jobs:
        if one.array_id is None or one.started:
            alone.append((one.display_id, one))
        else:
            unstarted.setdefault((one.array_id, one.state), []).append(one)
    yield from alone
    for (array_id, _), tasks in unstarted.items():
        indices = folded([task.array_index or 0 for task in tasks])
        max_running = tasks[0].spec.array.max_running if tasks[0].spec.array else None
        limit = f"%{max_running}]" if max_running and tasks[0].state is State.PENDING else "]"
        yield f"{array_id}_{indices[:-1]}{limit}", tasks[0]


def _account_row(job_id: str, one: EmbeddedJob, user: str) -> dict[str, str]:
    elapsed = int((one.ended or time.time()) - one.started) if one.started else 0
    cpus = sum(share.cpus for share in one.allocation.shares) if one.allocation else 0
    state = f"CANCELLED by {os.getuid()}" if one.state is State.CANCELLED else one.state.value
    values = (
        job_id,
        one.partition,
        one.spec.name,
        user,
        state,
        _stamp(one.started) if one.started else ("None" if one.over else "Unknown"),
        _clock(elapsed * cpus),
        _stamp(one.ended) if one.over else "Unknown",
        str(len(one.allocation.nodes) if one.allocation else required_nodes(one.spec)),
        folded_nodes(one.allocation.nodes) if one.allocation else "None assigned",
        f"{one.exit_code}:{0 if one.state in _STOPPED else one.signal}",
        _clock(elapsed),
    )
    return dict(zip(ACCOUNT_FIELDS.split(","), values, strict=True))


def _queue_row(job_id: str, one: EmbeddedJob, user: str) -> Mapping[str, str]:
    used = int(time.time() - one.started) if one.started else 0
    limit = one.time_limit
    values = (
        job_id,
        one.partition,
        one.spec.name,
        user,
        one.state.value,
        _short_clock(used),
        _stamp(one.started) if one.started else "N/A",
        "UNLIMITED" if limit is None else _short_clock(max(0, limit - used)),
        str(len(one.allocation.nodes) if one.allocation else required_nodes(one.spec)),
        folded_nodes(one.allocation.nodes) if one.allocation else f"({one.reason.value})",
    )
    return dict(zip(QUEUE_FIELDS.split(","), values, strict=True))


def _stamp(seconds: float) -> str:
    return time.strftime(_DATE_FORMAT, time.localtime(seconds))


def _clock(seconds: int) -> str:
    days, rest = divmod(seconds, _DAY)
    return (f"{days}-" if days else "") + time.strftime("%H:%M:%S", time.gmtime(rest))


def _short_clock(seconds: int) -> str:
    if seconds >= 3600:
        return _clock(seconds).removeprefix("0")
    return f"{seconds // 60}:{seconds % 60:02}"
