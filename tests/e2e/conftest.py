"""Runs ReFrame as a user would, and reads its report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, GatewayUnderTest

TIMEOUT = 240.0
SUITE = Path(__file__).parent / "suite"
SLURM_COMMANDS = ("sacct", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun", "module", "modulecmd")


@dataclass
class Outcome:
    """Results of a run of ReFrame.

    Attributes:
        code: its exit code.
        output: everything that it printed.
        report: its JSON report, empty if it wrote none.
        orphaned_jobs: Slurm and module commands that were called on this side.
    """

    code: int
    output: str
    report: dict[str, Any]
    orphaned_jobs: list[str]

    def cases(self) -> dict[str, dict[str, Any]]:
        """The test cases of the first run by name."""
        return {case["display_name"]: case for case in self.report["runs"][0]["testcases"]}


@dataclass
class ReFrame:
    """ReFrame in a directory of its own that the job's user can't look into.

    Attributes:
        directory: prefix of stage and output directories.
        gateway: reached through the environment.
        processes: all that were started.
    """

    directory: Path
    gateway: GatewayUnderTest
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(
        self,
        checks: Sequence[str],
        *options: str,
        config: Path = PROJECT / "config/sandbox.py",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start ReFrame."""
        command = [
            *(sys.executable, "-c", "from reframe.frontend.cli import main; main()"),
            *("-C", str(config), "--prefix", str(self.directory)),
            *("--report-file", str(self.directory / "report.json")),
        ]
        if not {"--dry-run", "-l"} & {*options}:
            command.append("-r")
        for check in checks:
            command += ["-c", check]
        variables = {
            "HOME": str(self.directory),
            "PATH": f"{self._poisoned_path()}:{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            **self.gateway.variables,
            **(environment or {}),
        }
        process = subprocess.Popen(
            [*command, *options],
            cwd=self.directory,
            env={name: value for name, value in variables.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], timeout: float = TIMEOUT) -> Outcome:
        """Wait for the end and collect what there is."""
        output, _ = process.communicate(timeout=timeout)
        report = self.directory / "report.json"
        orphaned_jobs = self.directory / "strays"
        return Outcome(
            process.returncode,
            output,
            json.loads(report.read_text()) if report.exists() else {},
            orphaned_jobs.read_text().split() if orphaned_jobs.exists() else [],
        )

    def run(self, checks: Sequence[str], *options: str, timeout: float = TIMEOUT, **more: Any) -> Outcome:
        """Run ReFrame to its end."""
        return self.finish(self.start(checks, *options, **more), timeout)

    def _poisoned_path(self) -> Path:
        """Make a directory of commands that must not be called on this machine; each records its caller."""
        path = self.directory / "poison"
        if not path.exists():
            path.mkdir()
            for name in SLURM_COMMANDS:
                command = path / name
                command.write_text(f"#!/bin/sh\necho {name} >> {self.directory}/strays\nexit 1\n")
                command.chmod(0o755)
        return path

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def reframe(gateway: GatewayUnderTest, tmp_path: Path) -> Iterator[ReFrame]:
    # A path that was never translated would go unnoticed if the job's user could follow it.
    tmp_path.chmod(0o700)
    made = ReFrame(tmp_path, gateway)
    yield made
    made.close()
