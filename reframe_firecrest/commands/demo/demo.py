"""Runs the sample checks through the sandbox: a first run without an account, Slurm or a gateway."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from firecrest_sandbox.extra import missing_extra
from reframe_firecrest.model.errors import DemoError

COMPILER = "gcc"
"""What the settings of the sandbox have some of the sample checks compiled with."""


FOREIGN = ("FIRECREST_", "AUTH_TOKEN_URL", "RFM_")
"""Variables that mean another gateway or other checks begin with these."""


@dataclass(frozen=True)
class Samples:
    """What the demonstration runs.

    Attributes:
        settings: of the sandbox, for ReFrame.
        checks: a directory.
    """

    settings: Path
    checks: Path


def missing() -> str | None:
    """Tell what the demonstration lacks, in one line; None if it has all."""
    if shutil.which(COMPILER) is None:
        return (
            f"the sample checks need the C compiler {COMPILER!r}; "
            "install it (Debian and Ubuntu: apt-get install gcc libc6-dev)"
        )
    return missing_extra()


def samples() -> Samples:
    """Return where the samples are: in the installed package or, of a package installed in place, beside it.

    Raises:
        DemoError: they are not there.
    """
    package = Path(str(files("reframe_firecrest")))
    beside = package.parent
    for settings, checks in (
        (package / "_demo" / "sandbox.py", package / "_demo" / "checks"),
        (beside / "config" / "sandbox.py", beside / "checks"),
    ):
        if settings.is_file() and checks.is_dir():
            return Samples(settings, checks)
    raise DemoError(f"the sample checks are not in {package}; install reframe-firecrest again")


def run_demo(directory: Path) -> int:
    """Run the sample checks; return ReFrame's exit code.

    Args:
        directory: all that is written lies below it; what an earlier demonstration left is replaced.

    Raises:
        DemoError: the samples are not there.
        OSError: the directory can't be written.
        SandboxError: the sandbox can't be started.
    """
    from firecrest_sandbox import Sandbox, SandboxConfig  # noqa: PLC0415  needs the extra
    from firecrest_sandbox.foreground import run_around, stop_requests  # noqa: PLC0415

    found = samples()
    place = directory.absolute()
    place.mkdir(parents=True, exist_ok=True)
    report_file(place).unlink(missing_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    with (
        stop_requests() as stop,
        tempfile.TemporaryDirectory(prefix="sandbox-", dir=place) as temporary,
        Sandbox(SandboxConfig(root=Path(temporary, "root"))) as sandbox,
    ):
        variables: Mapping[str, str] = {
            **sandbox.environment(),
            "FIRECREST_JOURNAL_DIR": str(place / "journals"),
            # ReFrame's log goes there.
            "TMPDIR": temporary,
        }
        return run_around(_command(found, place), variables, stop, environment=own)


def report_file(directory: Path) -> Path:
    """Return where ReFrame's report is."""
    return directory / "report.json"


def _command(found: Samples, place: Path) -> list[str]:
    # Not all ways to install a package put its commands on the PATH.
    reframe = [sys.executable, "-c", "from reframe.frontend.cli import main; main()"]
    return [
        *reframe,
        *("-C", str(found.settings), "-c", str(found.checks), "-R", "-r"),
        f"--prefix={place / 'reframe'}",
        f"--report-file={report_file(place)}",
    ]
