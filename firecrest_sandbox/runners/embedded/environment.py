"""Environment variables of a job, and the paths of its output."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

from ClusterShell.NodeSet import NodeSet

from firecrest_sandbox.processes import login_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob
    from firecrest_sandbox.runners.embedded.placement import Allocation

SPOOL_VARIABLE = "REFRAME_FIRECREST_SANDBOX_SPOOL"
"""Path of a job's spool directory. It identifies the job for `srun`, and the processes of a job."""
_NO_ARRAY_TASK = 4294967294
_FIELD = re.compile(r"%(\d*)([%AaJjNntux])")


def folded_nodes(nodes: Iterable[str]) -> str:
    """Return node names in Slurm's notation, `nid[001-002]`."""
    return str(NodeSet.fromlist(list(nodes)))


def repeated(counts: Iterable[int]) -> str:
    """Return counts in Slurm's notation, `2(x3),1`."""
    runs: list[tuple[int, int]] = []
    for count in counts:
        if runs and runs[-1][0] == count:
            runs[-1] = (count, runs[-1][1] + 1)
        else:
            runs.append((count, 1))
    return ",".join(f"{count}(x{times})" if times > 1 else str(count) for count, times in runs)


def base_environment(exported: str, *, home: str) -> dict[str, str]:
    """Return the variables of a login and those of `--export`, with the given home."""
    login = {**login_environment(), "HOME": home}
    env = dict(login)
    for item in exported.split(","):
        name, equals, value = item.partition("=")
        if equals:
            env[name] = value
    return env


def slurm_variables(
    job: EmbeddedJob, allocation: Allocation, *, cluster: str, user: str, home: str
) -> dict[str, str]:
    """Return the `SLURM_*` variables of a batch script.

    The real gateway calls sbatch in the user's home, not in the job's directory.
    """
    spec, nodes = job.spec, folded_nodes(allocation.nodes)
    number, count = str(job.number), str(len(allocation.nodes))
    variables = {
        "ENVIRONMENT": "BATCH",
        "SLURMD_NODENAME": allocation.nodes[0],
        "SLURM_CLUSTER_NAME": cluster,
        "SLURM_CPUS_ON_NODE": str(allocation.shares[0].cpus),
        "SLURM_JOBID": number,
        "SLURM_JOB_ACCOUNT": job.account,
        "SLURM_JOB_CPUS_PER_NODE": repeated(share.cpus for share in allocation.shares),
        "SLURM_JOB_ID": number,
        "SLURM_JOB_NAME": spec.name,
        "SLURM_JOB_NODELIST": nodes,
        "SLURM_JOB_NUM_NODES": count,
        "SLURM_JOB_PARTITION": job.partition,
        "SLURM_JOB_UID": str(os.getuid()),
        "SLURM_JOB_USER": user,
        "SLURM_LOCALID": "0",
        "SLURM_NNODES": count,
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": nodes,
        "SLURM_NPROCS": str(allocation.tasks),
        "SLURM_NTASKS": str(allocation.tasks),
        "SLURM_PROCID": "0",
        "SLURM_SUBMIT_DIR": home,
        "SLURM_SUBMIT_HOST": socket.gethostname(),
        "SLURM_TASKS_PER_NODE": repeated(share.tasks for share in allocation.shares),
    }
    if spec.open_mode:
        variables["SLURM_OPEN_MODE"] = spec.open_mode
    if spec.cpus_per_task:
        variables["SLURM_CPUS_PER_TASK"] = str(spec.cpus_per_task)
    if spec.tasks_per_node:
        variables["SLURM_NTASKS_PER_NODE"] = str(spec.tasks_per_node)
    if spec.array is not None:
        variables |= {
            "SLURM_ARRAY_JOB_ID": str(job.array_id),
            "SLURM_ARRAY_TASK_COUNT": str(len(spec.array.indices)),
            "SLURM_ARRAY_TASK_ID": str(job.array_index),
            "SLURM_ARRAY_TASK_MAX": str(spec.array.indices[-1]),
            "SLURM_ARRAY_TASK_MIN": str(spec.array.indices[0]),
            "SLURM_ARRAY_TASK_STEP": str(spec.array.step),
        }
    return variables


def output_paths(job: EmbeddedJob, *, user: str) -> tuple[str, str]:
    """Return the absolute paths of a job's standard output and standard error."""
    default = "slurm-%j.out" if job.array_id is None else "slurm-%A_%a.out"
    output = _expand(job.spec.output or default, job, user)
    return output, _expand(job.spec.error, job, user) if job.spec.error else output


def _expand(pattern: str, job: EmbeddedJob, user: str) -> str:
    number = str(job.number)
    index = _NO_ARRAY_TASK if job.array_index is None else job.array_index
    values: Mapping[str, str] = {
        "%": "%",
        "A": number if job.array_id is None else str(job.array_id),
        "a": str(index),
        "J": number,
        "j": number,
        "N": job.allocation.nodes[0] if job.allocation else "",
        "n": "0",
        "t": "0",
        "u": user,
        "x": job.spec.name,
    }
    name = _FIELD.sub(lambda field: values[field[2]].rjust(int(field[1] or 0), "0"), pattern)
    return os.path.join(job.spec.directory, name)  # noqa: PTH118  as Slurm opens it
