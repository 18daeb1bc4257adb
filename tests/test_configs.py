"""The sample settings and checks, as ReFrame reads them on a machine without anything of a cluster."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent

CHECKS = {
    "HelloNodes",
    "IntegralBuild",
    "IntegralPrecision",
    "IntegralShared",
    "JobArray",
    "LargeFiles",
    "LaunchTime",
    "MemoryBandwidth",
}

ENVIRONS = {
    "nvgpu": ["builtin", "PrgEnv-cray", "PrgEnv-gnu", "PrgEnv-nvhpc", "PrgEnv-nvidia"],
    "amdgpu": ["builtin", "PrgEnv-cray", "PrgEnv-gnu"],
}


def reframe(config: str, directory: Path, *arguments: str, **environment: str) -> str:
    """Run ReFrame where there is no Slurm, no module, no compiler and no FIRECREST_* variable."""
    done = subprocess.run(
        [Path(sys.executable).parent / "reframe", "-C", str(PROJECT / "config" / config), *arguments],
        cwd=directory,
        env={"PATH": "/nonexistent", "HOME": str(directory), "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("config", ["sandbox.py", "mycluster.py"])
def test_all_checks_are_listed_without_gateway_or_credentials(config: str, tmp_path: Path) -> None:
    listed = reframe(config, tmp_path, "-l", "-c", str(PROJECT / "checks"))
    assert set(re.findall(r"^(?:- |\s+\^)(\w+)", listed, re.MULTILINE)) == CHECKS


@pytest.mark.parametrize(
    ("config", "system"),
    [
        *(("cscs.py", system) for system in ("daint", "eiger", "clariden", "bristen", "santis")),
        ("csc-roihu.py", "roihu"),
    ],
)
def test_the_checks_are_listed_for_each_system_of_a_site(config: str, system: str, tmp_path: Path) -> None:
    checks = ["-c", str(PROJECT / "checks")]
    listed = reframe(config, tmp_path, "-l", *checks, "--system", system)
    assert set(re.findall(r"^(?:- |\s+\^)(\w+)", listed, re.MULTILINE)) == CHECKS


class TestMyCluster:
    @staticmethod
    def show(directory: Path, what: str, **environment: str) -> Any:
        return json.loads(reframe("mycluster.py", directory, f"--show-config={what}", **environment))

    def test_partitions_environs_and_time_limit_are_the_promised_ones(self, tmp_path: Path) -> None:
        (system,) = self.show(tmp_path, "systems")
        partitions = {partition["name"]: partition for partition in system["partitions"]}
        assert {name: partition["environs"] for name, partition in partitions.items()} == ENVIRONS
        assert partitions["amdgpu"]["time_limit"] == "10m"
        assert system["modules_system"] == "lmod"
        for partition in partitions.values():
            assert partition["scheduler"] == "firecrest-scheduler"
            assert partition["launcher"] == "firecrest-srun"

    def test_the_account_reaches_every_job_script(self, tmp_path: Path) -> None:
        (system,) = self.show(tmp_path, "systems", FIRECREST_ACCOUNT="g123")
        for partition in system["partitions"]:
            assert "--account=g123" in partition["access"]

    def test_the_system_is_the_environments(self, tmp_path: Path) -> None:
        (system,) = self.show(tmp_path, "systems", FIRECREST_SYSTEM="alps")
        assert system["sched_options"]["firecrest"]["system"] == "alps"

    def test_nothing_of_the_cluster_is_looked_for_on_this_machine(self, tmp_path: Path) -> None:
        (general,) = self.show(tmp_path, "general")
        assert general["resolve_module_conflicts"] is False
        assert general["remote_detect"] is False

    def test_no_secret_stands_in_the_settings(self, tmp_path: Path) -> None:
        shown = self.show(tmp_path, "systems", FIRECREST_CLIENT_SECRET="tr0ub4dor&3")
        assert "tr0ub4dor&3" not in json.dumps(shown)
