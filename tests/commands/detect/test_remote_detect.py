"""ReFrame's own remote detection, by a job through our scheduler.

It would download an installer on the compute node; `remote_install` names other commands, here ones that
put a stand-in for ReFrame on the PATH.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.detect.test_command import run
from tests.conftest import PROJECT, GatewayUnderTest

pytestmark = pytest.mark.e2e

FOUND = {
    "arch": "made_up",
    "num_cpus": 42,
    "num_cpus_per_core": 1,
    "num_cpus_per_socket": 42,
    "num_sockets": 1,
}

INSTALL = [
    "mkdir bin",
    """printf '#!/bin/bash\\ncp facts.json "${1#*=}"\\n' > bin/reframe""",
    "chmod +x bin/reframe",
    f"echo '{json.dumps(FOUND)}' > facts.json",
    'export PATH="$PWD/bin:$PATH"',
]

SITE = """
import reframe_firecrest

site_configuration = {{
    "systems": [
        {{
            "name": "mine",
            "hostnames": [".*"],
            "partitions": [
                {{
                    "name": "compute",
                    "scheduler": "firecrest-scheduler",
                    "launcher": "firecrest-srun",
                    "environs": ["builtin"],
                    "features": ["remote"],
                }},
            ],
        }},
    ],
    "environments": [{{"name": "builtin", "cc": "gcc", "cxx": "", "ftn": ""}}],
    "general": [
        {{
            "remote_detect": True,
            "remote_install": {install!r},
            "topology_prefix": {prefix!r},
        }},
    ],
}}
"""


def reframe(gateway: GatewayUnderTest, directory: Path, install: list[str]) -> tuple[int, str]:
    """List a check, which has ReFrame look at the partition first."""
    site = SITE.format(install=install, prefix=str(directory / "topology"))
    (directory / "site.py").write_text(site)
    options = ["-C", "site.py", "-c", str(PROJECT / "checks/hello.py"), "-l", "-v"]
    done = run(directory, "reframe.frontend.cli", *options, variables=gateway.variables)
    return done.returncode, done.stdout + done.stderr


def test_reframes_own_remote_detection_works(gateway: GatewayUnderTest, tmp_path: Path) -> None:
    # The commands run in a directory that the job's user can't reach on this side.
    tmp_path.chmod(0o700)
    code, output = reframe(gateway, tmp_path, INSTALL)
    assert code == 0, output
    assert "Detecting topology of remote partition 'mine:compute'" in output
    assert "failed to retrieve" not in output
    file = tmp_path / "topology/mine-compute/processor.json"
    assert json.loads(file.read_text()) == FOUND
    assert list(tmp_path.glob("rfm.*")) == []

    # What was found serves the next run.
    code, output = reframe(gateway, tmp_path, INSTALL)
    assert code == 0, output
    assert "Detecting topology" not in output


def test_a_detection_that_fails_does_not_stop_reframe(gateway: GatewayUnderTest, tmp_path: Path) -> None:
    code, output = reframe(gateway, tmp_path, ["exit 3"])
    assert code == 0, output
    assert "failed to retrieve remote processor info" in output
    assert "HelloNodes" in output
    assert not (tmp_path / "topology/mine-compute").exists()
