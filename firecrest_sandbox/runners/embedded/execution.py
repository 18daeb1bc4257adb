"""Start and termination of a job's processes."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from firecrest_sandbox.processes import signal_group, signal_marked
from firecrest_sandbox.runners.embedded import srun
from firecrest_sandbox.runners.embedded.environment import (
    SPOOL_VARIABLE,
    base_environment,
    output_paths,
    slurm_variables,
)

if TYPE_CHECKING:
    from firecrest_sandbox.runners.embedded.directives import JobSpec
    from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob
    from firecrest_sandbox.runners.embedded.placement import Allocation


class Execution:
    """Execution of batch scripts below a private spool directory."""

    def __init__(self, directory: Path, *, cluster: str, user: str, home: str) -> None:
        self._jobs = directory / "jobs"
        self._tools = directory / "bin"
        self._cluster = cluster
        self._user = user
        self._home = home

    def prepare(self) -> None:
        """Create the spool directory, and the `srun` for jobs."""
        self._jobs.mkdir(parents=True)
        self._tools.mkdir()
        tool = self._tools / "srun"
        command = shlex.join([sys.executable, "-I", "-S", str(Path(srun.__file__).resolve())])
        tool.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        tool.chmod(0o755)
        # A login shell resets PATH, and would find another srun or none.
        profile = Path(self._home, ".profile")
        if not profile.exists():
            profile.write_text(
                f'[ -z "${{{SPOOL_VARIABLE}}}" ] || PATH={shlex.quote(str(self._tools))}:$PATH\n',
                encoding="utf-8",
            )

    async def start(self, job: EmbeddedJob, allocation: Allocation) -> None:
        """Start a job's batch script in a new session.

        Raises:
            OSError: the directory, the output or the interpreter is missing or cannot be used.
        """
        spool = self._jobs / str(job.number)
        script = await asyncio.to_thread(_write_spool, spool, job, allocation)
        job.spool = spool
        output, error = output_paths(job, user=self._user)
        env = self.environment(job, allocation)
        opened = await asyncio.to_thread(_open_all, job.spec, output, error)
        try:
            job.process = await asyncio.create_subprocess_exec(
                str(script),
                stdin=opened[0],
                stdout=opened[1],
                stderr=opened[2],
                cwd=job.spec.directory,
                env=env,
                start_new_session=True,
            )
        finally:
            for descriptor in set(opened):
                os.close(descriptor)

    def environment(self, job: EmbeddedJob, allocation: Allocation) -> dict[str, str]:
        """Return the complete environment of a job's batch script."""
        given = job.spec.variables
        env = base_environment(job.spec.exported, home=self._home) if given is None else dict(given)
        env |= slurm_variables(job, allocation, cluster=self._cluster, user=self._user, home=self._home)
        env["PATH"] = f"{self._tools}{os.pathsep}{env.get('PATH', os.defpath)}"
        env[SPOOL_VARIABLE] = str(self._jobs / str(job.number))
        return env

    async def end(self, job: EmbeddedJob, *, wait: float) -> None:
        """Send SIGTERM to all processes of a job, and SIGKILL after `wait` seconds."""
        if job.process is None:
            return
        await self._signal(job, signal.SIGTERM)
        try:
            await asyncio.wait_for(job.process.wait(), wait)
        except asyncio.TimeoutError:
            await self._signal(job, signal.SIGKILL)
            await job.process.wait()

    async def kill_remaining(self, job: EmbeddedJob) -> None:
        """Kill the remaining processes of a finished job, as Slurm does."""
        if job.process is not None:
            await self._signal(job, signal.SIGKILL)

    async def _signal(self, job: EmbeddedJob, signum: int) -> None:
        if job.process is not None:
            signal_group(job.process.pid, signum)
            await asyncio.to_thread(signal_marked, SPOOL_VARIABLE, str(job.spool), signum)

    def report(self, job: EmbeddedJob, cause: str) -> None:
        """Write slurmstepd's line about an early end to a job's error file."""
        if job.allocation is None or job.process is None:
            return
        _, error = output_paths(job, user=self._user)
        when = time.strftime("%Y-%m-%dT%H:%M:%S")
        node = job.allocation.nodes[0]
        line = f"slurmstepd: error: *** JOB {job.number} ON {node} CANCELLED AT {when}{cause} ***\n"
        with Path(error).open("a", encoding="utf-8") as file:
            file.write(line)


def _write_spool(spool: Path, job: EmbeddedJob, allocation: Allocation) -> Path:
    (spool / "steps").mkdir(parents=True)
    shares = [{"node": share.node, "tasks": share.tasks, "cpus": share.cpus} for share in allocation.shares]
    (spool / "allocation.json").write_text(json.dumps(shares), encoding="utf-8")
    script = spool / "slurm_script"
    script.write_text(job.spec.script, encoding="utf-8", errors="surrogateescape")
    script.chmod(0o700)
    return script


def _open_all(spec: JobSpec, output: str, error: str) -> tuple[int, int, int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if spec.open_mode == "a" else os.O_TRUNC)
    opened: list[int] = []
    try:
        opened.append(os.open(spec.input, os.O_RDONLY))
        opened.append(os.open(output, flags, 0o666))
        opened.append(opened[1] if error == output else os.open(error, flags, 0o666))
    except OSError:
        for descriptor in opened:
            os.close(descriptor)
        raise
    return opened[0], opened[1], opened[2]
