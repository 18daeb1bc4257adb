"""The launcher `firecrest-srun`: it writes `srun` command lines without a local `srun`.

ReFrame's own `SrunLauncher` (4.10) runs ``srun --version`` on the local machine, so this class does not
derive from it. It overrides public methods only.
"""

from __future__ import annotations

from typing import Any

from reframe.core.launchers import JobLauncher

from reframe_firecrest.session.srun_command import needs_cpus_per_task


class FirecrestSrun(JobLauncher):
    """Write the command line of ReFrame's `srun` launcher for the Slurm version that the gateway reports.

    Attributes:
        use_cpus_per_task: write ``--cpus-per-task``. A test may set it to false, as with ReFrame's launcher.
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
