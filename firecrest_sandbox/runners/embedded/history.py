"""Ended jobs of the account that no client of this server has submitted, so that job lists are long."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from firecrest_sandbox.runners.embedded.directives import JobSpec
from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob, State
from firecrest_sandbox.runners.embedded.placement import Allocation, Share

if TYPE_CHECKING:
    from firecrest_sandbox.config import SandboxConfig

_SECONDS = 600
"""The jobs ended in this time before the server's start, so they stay in lists of one hour for 50 minutes."""
_DURATION = 42
_PROJECTS = 20
_STEPS = ("configure", "build", "regression")


def past_jobs(config: SandboxConfig, spool: Path, user: str) -> Iterator[EmbeddedJob]:
    """Yield completed jobs with ids from 1, the oldest first.

    Each is about 1.2 kB in a job list, as the jobs of test suites are on a real gateway (measured).

    Args:
        config: the number of jobs, and the names of nodes' partitions and accounts.
        spool: directory for the steps that all of them have.
        user: owner of the jobs.
    """
    now = time.time()
    _write_steps(spool, now)
    node = Allocation((Share("nid001", 1, 1),))
    for number in range(1, config.history + 1):
        ended = now - _SECONDS * (config.history - number + 1) / (config.history + 1)
        yield EmbeddedJob(
            number=number,
            spec=JobSpec(
                name=f"nightly-regression-{number:05}",
                script="#!/bin/bash\n" + "".join(f"srun {step}\n" for step in _STEPS),
                directory=f"/users/{user}/ci/project-{number % _PROJECTS:02}/builds/pipeline-{number:05}",
                exported="ALL",
            ),
            time_limit=config.default_time_limit,
            partition=config.partitions[0],
            account=config.accounts[0],
            submitted=ended - _DURATION,
            state=State.COMPLETED,
            started=ended - _DURATION,
            ended=ended,
            allocation=node,
            spool=spool,
        )


def _write_steps(spool: Path, now: float) -> None:
    times = {"start": now - _SECONDS - _DURATION, "end": now - _SECONDS}
    (spool / "steps").mkdir(parents=True)
    for number, name in enumerate(_STEPS):
        step = {"id": str(number), "name": name, "state": "COMPLETED", "exit_code": 0, "signal": 0, **times}
        (spool / "steps" / f"{number}.json").write_text(json.dumps(step))
