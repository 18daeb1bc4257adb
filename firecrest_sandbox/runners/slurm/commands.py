"""Slurm's own commands, run with a time limit in a clean environment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from firecrest_sandbox.errors import SchedulerError
from firecrest_sandbox.processes import Finished, login_environment, run_command
from firecrest_sandbox.runners.slurm import parsing

_TIMEOUT = 10.0
_OUTPUT_LIMIT = 64 * 1024 * 1024


class SlurmUnavailableError(Exception):
    """Slurm's commands are missing, or its controller does not answer."""


def probe_slurm() -> str:
    """Return the version of this machine's Slurm.

    Raises:
        SlurmUnavailableError: Slurm does not answer.
    """
    try:
        ping = _probe("scontrol", "ping")
        version = _probe("sinfo", "--version")
    except (OSError, subprocess.SubprocessError) as error:
        raise SlurmUnavailableError(f"Slurm does not answer on this machine: {error}") from None
    if "UP" not in ping:
        raise SlurmUnavailableError(f"Slurm's controller does not answer: {ping.strip()}")
    # E.g. `slurm-wlm 22.05.8` or `slurm 23.11.4`.
    return version.split()[-1]


def _probe(*argv: str) -> str:
    finished = subprocess.run(  # noqa: S603  fixed commands
        argv,
        capture_output=True,
        check=True,
        env=login_environment(),
        text=True,
        timeout=_TIMEOUT,
    )
    return finished.stdout


def plain_times() -> dict[str, str]:
    """Return an environment in which Slurm prints dates instead of epoch seconds."""
    return {**login_environment(), "LC_ALL": "C"}


def squeue() -> list[str]:
    """Return the command that prints the fields of `parsing.SQUEUE_FIELDS`."""
    fields = parsing.SQUEUE_FIELDS.split(",")
    return ["squeue", "--noheader", "--Format=" + "".join(f"{f}:|," for f in fields[:-1]) + f"{fields[-1]}:"]


async def run(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output_limit: int = _OUTPUT_LIMIT,
) -> Finished:
    """Run a command; by default with messages in English and times in epoch seconds."""
    if env is None:
        env = {**login_environment(), "LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}
    return await run_command(argv, timeout=_TIMEOUT, output_limit=output_limit, stdin=stdin, env=env, cwd=cwd)


async def run_checked(*argv: str, env: Mapping[str, str] | None = None) -> Finished:
    """Run a command that must succeed.

    Raises:
        SchedulerError: the command failed.
    """
    finished = await run(argv, env=env)
    if finished.status != 0:
        raise SchedulerError.answered(finished.status, finished.stderr)
    return finished


def is_unknown_job(finished: Finished) -> bool:
    """Return whether a command failed because the job is unknown."""
    return finished.status != 0 and "Invalid job id specified" in finished.stderr
