"""A job that comes after its run has been cleaned up is found, with and without the run's journal."""

from __future__ import annotations

import json
import uuid
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import SANDBOX_API, GatewayUnderTest
from tests.e2e.outside import Outside, outside
from tests.e2e.test_killed import Start, command, start, start_and_kill

__all__ = ["start"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(SANDBOX_API == "v1", reason="FirecREST v1 runs a job in the directory of its script"),
]


def submit_late(system: Outside, directory: str) -> str:
    """Start the job of a lost submission late, in a directory that is then removed."""
    system.make_directory(directory)
    options = "#SBATCH --job-name=late --output=/dev/null --error=/dev/null"
    script = f"#!/bin/bash\n{options}\ntouch started\nsleep 300\n"
    job = system.client.submit(system.system, working_dir=directory, script_str=script)
    job_id = str(job["jobId"])
    # Slurm reports a job as running before its script is: without its directory the script may not start.
    system.wait_for_file(directory, "started", 60)
    system.client.rm(system.system, directory)
    return job_id


def test_a_job_that_comes_late_is_found_by_its_working_directory(
    gateway: GatewayUnderTest, start: Start, tmp_path: Path
) -> None:
    # On a system that others use too, only this test's runs must be found.
    namespace = f"reframe-firecrest-{uuid.uuid4().hex[:8]}"
    variables = {"FIRECREST_NAMESPACE": namespace}
    journals = tmp_path / "journals"
    run = start_and_kill(partial(start, **variables), journals, "WhileRunning")
    with outside(gateway) as system:
        done = command(gateway, journals, "clean", "--all", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert system.active(run) == []

        root = f"{system.basedir}/{namespace}/{run}"
        for arguments, place in (("--all",), journals), (("--remote", "--older-than", "0m"), tmp_path / "no"):
            late = submit_late(system, root)
            assert run not in system.runs(namespace)
            done = command(gateway, place, "clean", *arguments, "--json", **variables)
            assert done.returncode == 0, done.stdout + done.stderr
            assert [found["cancelled"] for found in json.loads(done.stdout)["runs"]] == [[late]]
            assert system.active(run) == []
