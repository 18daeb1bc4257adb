"""Tests that ask for modules: recorded by jobs, answered here without a request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.commands.detect.test_command import detect
from tests.conftest import GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame
from tests.e2e.test_suites import passed
from tests.modules_tree import REAL, modules_init

pytestmark = pytest.mark.e2e

CHECKS = [str(SUITE / "modules.py")]
NAMES = ["Fftw %found=clang-fftw/3.3", "Fftw %found=gcc-fftw/3.4"]

SITE = """
import reframe_firecrest

site_configuration = {{
    "systems": [
        {{
            "name": "tree",
            "hostnames": [".*"],
            "modules_system": "lmod",
            "partitions": [
                {{
                    "name": "normal",
                    "scheduler": "firecrest-scheduler",
                    "launcher": "firecrest-srun",
                    "access": ["--partition=normal"],
                    "environs": ["plain", "gcc", "clang"],
                    "prepare_cmds": ["source {init}"],
                }}
            ],
        }}
    ],
    "environments": [
        {{"name": "plain"}},
        {{"name": "gcc", "modules": ["gcc/13.1"]}},
        {{"name": "clang", "modules": ["clang/15.0"]}},
    ],
    "general": [{{"poll_rate_min": 2}}],
}}
"""


@pytest.fixture
def site(gateway: GatewayUnderTest, tmp_path: Path) -> Path:
    if not (gateway.embedded or REAL):
        pytest.skip("the system has no tree of modules")
    file = tmp_path / "site.py"
    file.write_text(SITE.format(init=modules_init(tmp_path)))
    return file


def record(site: Path, variables: Mapping[str, str]) -> None:
    options = ["--config", site.name, "--no-processors", "--modules"]
    done = detect(site.parent, *options, variables=variables)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("found tree:normal+") == 3, done.stderr


def test_a_hierarchy_is_known_before_and_after_loading_a_compiler(
    reframe: ReFrame, site: Path, gateway: GatewayUnderTest
) -> None:
    record(site, gateway.variables)
    # Listing sends no request: it succeeds without an address and without credentials.
    nowhere = dict.fromkeys(gateway.variables, "")
    listed = reframe.run(CHECKS, "-l", config=site, environment=nowhere)
    assert listed.code == 0, listed.output
    assert all(f"- {name} /" in listed.output for name in NAMES)
    assert "Found 4 check(s)" in listed.output
    outcome = reframe.run(CHECKS, config=site)
    assert passed(outcome) == ["Asks", *NAMES, "Swap"], outcome.output
    # Neither `module` nor `modulecmd` ran where ReFrame runs.
    assert outcome.orphaned_jobs == []
    scripts = {
        path.parent.name: path.read_text().splitlines()
        for path in reframe.directory.glob("output/tree/normal/*/*/rfm_job.sh")
    }
    loads = [line for line in scripts["Swap"] if line.startswith("module ")]
    assert loads == ["module load gcc/13.1", "module unload gcc", "module load clang/15.0"]


def test_without_a_snapshot_the_run_fails_in_one_line(reframe: ReFrame, site: Path) -> None:
    for option in ("-l", "--dry-run"):
        outcome = reframe.run(CHECKS, option, config=site)
        assert outcome.code == 1, outcome.output
        [line] = [line for line in outcome.output.splitlines() if line.startswith("reframe: ")]
        assert line.startswith("reframe: tree:normal+plain: there is no snapshot of its modules")
        assert line.endswith(f"run: reframe-firecrest detect --config {site} --modules")
        assert "Traceback" not in outcome.output
