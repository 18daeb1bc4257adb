"""When jobs have ended: arrays, stale lists, and lists that break."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import pytest

from tests.conftest import GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame
from tests.e2e.outside import outside
from tests.e2e.test_suites import passed

pytestmark = pytest.mark.e2e

WAITING = str(SUITE / "waiting.py")


def test_an_array_ends_with_its_last_task_and_its_exit_code_is_the_highest(reframe: ReFrame) -> None:
    outcome = reframe.run([WAITING], "-n", "^ArrayOfTen")
    assert len(passed(outcome)) == 2, outcome.output


def test_jobs_end_although_another_job_breaks_every_list(reframe: ReFrame) -> None:
    from firecrest_sandbox import Sandbox, SandboxConfig  # noqa: PLC0415 - needs the extra

    # One of its own: the job breaks the lists of all who share it.
    with Sandbox(SandboxConfig(nodes=4, cpus=16)) as sandbox:
        reframe.gateway = GatewayUnderTest("sandbox", sandbox.environment(), embedded=True)
        with outside(reframe.gateway) as system:
            script = "#!/bin/bash\n#SBATCH --job-name='a|b'\n#SBATCH -o /dev/null\nsleep 60\n"
            system.client.submit(system.system, system.basedir, script_str=script)
        outcome = reframe.run([WAITING], "-n", "^Quick|^ArrayOfTen")
        assert len(passed(outcome)) == 7, outcome.output


@pytest.mark.skipif(
    not os.environ.get("FIRECREST_URL") or shutil.which("scontrol") is None,
    reason="needs a real gateway, and its Slurm on this machine",
)
def test_a_cancellation_after_a_requeue_is_noticed_within_seconds(reframe: ReFrame) -> None:
    process = reframe.start([WAITING], "-n", "^Held", environment={"HELD_FOR": "300"})
    deadline = time.monotonic() + 60
    while not (running := _slurm("squeue", "-h", "-t", "R", "-n", "rfm_Held", "-o", "%i").split()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    # It has to have its output, which ReFrame wants to keep.
    time.sleep(3.0)
    _slurm("scontrol", "requeuehold", running[0])
    time.sleep(15.0)
    _slurm("scancel", running[0])
    begun = time.monotonic()
    outcome = reframe.finish(process)
    assert time.monotonic() - begun < 40
    assert passed(outcome) == ["Held"], outcome.output


def _slurm(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
