"""The job script that looks at a node."""

from __future__ import annotations

import subprocess
from pathlib import Path

from reframe_firecrest.commands.detect.facts import parse_facts
from reframe_firecrest.commands.detect.script import FACTS, job_script


def directives(script: str) -> list[str]:
    return [line for line in script.splitlines() if line.startswith("#")]


def test_a_partitions_options_come_before_those_of_the_job() -> None:
    found = directives(job_script("probe", ["--partition=gpu", "--time=24:00:00", "#BB capacity=1"]))
    assert found[:4] == [
        "#!/bin/bash",
        "#SBATCH --partition=gpu",
        "#SBATCH --time=24:00:00",
        "#BB capacity=1",
    ]
    assert found[-1] == "#SBATCH --time=00:05:00"
    assert "#SBATCH --nodes=1" in found


def test_it_names_only_the_node_where_lscpu_is_missing(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "uname").symlink_to("/usr/bin/uname")
    script = tmp_path / "detect.sh"
    script.write_text(job_script("probe", []))
    environment = {"PATH": str(tools), "SLURMD_NODENAME": "nid007"}
    done = subprocess.run(
        ["/bin/bash", str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    facts = parse_facts((tmp_path / FACTS).read_text())
    assert facts.node == "nid007"
    assert facts.lscpu == {}
    assert facts.machine
