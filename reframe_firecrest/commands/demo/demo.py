"""Run the sample checks through the sandbox, without an account, Slurm or a gateway."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from firecrest_sandbox.extra import missing_extra
from reframe_firecrest.model.errors import DemoError

COMPILER = "gcc"
"""Compiler of the sample checks, as in the settings of the sandbox."""

FOREIGN = ("FIRECREST_", "AUTH_TOKEN_URL", "RFM_")
"""Prefixes of variables that could select another gateway or other checks."""


@dataclass(frozen=True)
class Samples:
    """Files of the demo.

    Attributes:
        settings: ReFrame's settings of the sandbox.
        checks: directory of the checks.
    """

    settings: Path
    checks: Path


def missing() -> str | None:
    """Return what is missing for the demo, in one line; None if nothing is."""
    if not _compiles():
        return (
            f"the sample checks need the C compiler {COMPILER!r} and the header files of the C library; "
            "install them (Debian and Ubuntu: apt-get install gcc libc6-dev)"
        )
    return missing_extra()


def _compiles() -> bool:
    """Return whether the compiler exists and finds the C library's header files, a package of its own."""
    command = [COMPILER, "-fsyntax-only", "-x", "c", "-"]
    try:
        check = subprocess.run(  # noqa: S603 - the command is fixed
            command, input=b"#include <stdio.h>\n", capture_output=True, check=False
        )
    except OSError:
        return False
    return check.returncode == 0


def samples() -> Samples:
    """Return the paths of the samples: in the installed package, or beside a package installed in output.

    Raises:
        DemoError: they are missing.
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
        directory: output directory; files of an earlier demo in it are replaced.

    Raises:
        DemoError: the samples are missing.
        OSError: the directory can't be written.
        SandboxError: the sandbox can't be started.
    """
    from firecrest_sandbox import Sandbox, SandboxConfig  # noqa: PLC0415  needs the extra
    from firecrest_sandbox.foreground import run_around, stop_requests  # noqa: PLC0415

    files_of_demo = samples()
    output = directory.absolute()
    output.mkdir(parents=True, exist_ok=True)
    report_file(output).unlink(missing_ok=True)
    logs = output / "logs"
    logs.mkdir(exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    with (
        stop_requests() as stop,
        tempfile.TemporaryDirectory(prefix="sandbox-", dir=output) as temporary,
        Sandbox(SandboxConfig(root=Path(temporary, "root"))) as sandbox,
    ):
        variables: Mapping[str, str] = {
            **sandbox.environment(),
            "FIRECREST_JOURNAL_DIR": str(output / "journals"),
            # ReFrame writes its log there, and names it at the end.
            "TMPDIR": str(logs),
        }
        return run_around(_command(files_of_demo, output), variables, stop, environment=inherited)


def report_file(directory: Path) -> Path:
    """Return the path of ReFrame's report."""
    return directory / "report.json"


def _command(paths: Samples, output: Path) -> list[str]:
    # The `reframe` command may not be on the PATH.
    reframe = [sys.executable, "-c", "from reframe.frontend.cli import main; main()"]
    return [
        *reframe,
        *("-C", str(paths.settings), "-c", str(paths.checks), "-R", "-r"),
        f"--prefix={output / 'reframe'}",
        f"--report-file={report_file(output)}",
    ]
