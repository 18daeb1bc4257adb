"""The launcher `firecrest-srun`: an `srun` command line, without an `srun` here."""

from __future__ import annotations

from typing import Any

from reframe.core.launchers import JobLauncher

from reframe_firecrest.session.srun_command import needs_cpus_per_task


class FirecrestSrun(JobLauncher):
    """Writes what ReFrame's `srun` launcher writes, for the Slurm version that the gateway reports.

    Attributes:
        use_cpus_per_task: write ``--cpus-per-task``; a test may turn it off, as with ReFrame's own launcher.
    """

    def __init__(self) -> None:
        super().__init__()
        self.use_cpus_per_task = True

    def command(self, job: Any) -> list[str]:
        """Return the launcher's command for a job."""
        words = ["srun"]
        version = getattr(job.scheduler, "scheduler_version", None)
        if job.num_cpus_per_task and self.use_cpus_per_task and needs_cpus_per_task(version):
            words.append(f"--cpus-per-task={job.num_cpus_per_task}")
        if self.env_vars:
            words.append("--export=" + ",".join(f"{key}={value}" for key, value in self.env_vars.items()))
        return words
