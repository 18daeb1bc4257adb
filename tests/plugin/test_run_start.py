"""An error in the settings ends ReFrame before it announces a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT


@pytest.mark.parametrize("options", [["-r"], ["-r", "--exec-policy=serial"]])
def test_a_run_that_can_not_start_never_claims_that_it_passed(options: list[str], tmp_path: Path) -> None:
    reframe = Path(sys.executable).parent / "reframe"
    done = subprocess.run(
        [reframe, "-C", PROJECT / "config/sandbox.py", "-c", PROJECT / "checks/hello.py", *options],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "6 settings are missing" in output
    assert "PASSED" not in output
    assert "Running" not in output
    assert "Traceback" not in output
