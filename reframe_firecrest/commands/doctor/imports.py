"""Check that a settings file of ReFrame imports this package, without which its schedulers are unknown."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from reframe_firecrest.model.errors import DetectionError

PACKAGE = "reframe_firecrest"

_PROGRAM = f"import runpy, sys; runpy.run_path(sys.argv[1]); sys.exit(0 if {PACKAGE!r} in sys.modules else 3)"


def require_import(file: Path) -> None:
    """Raise an error if a settings file does not import the package, neither itself nor by another module.

    Args:
        file: the settings file, which ReFrame can read.

    Raises:
        DetectionError: it does not import the package.
    """
    if not _imports_directly(file) and not _imports_when_executed(file):
        raise DetectionError(
            f"the configuration {file} does not import reframe_firecrest, so ReFrame does not know its "
            "schedulers; add the line: import reframe_firecrest"
        )


def _imports_directly(file: Path) -> bool:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    return any(
        name.split(".")[0] == PACKAGE
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    )


def _imports_when_executed(file: Path) -> bool:
    """Execute the file in a process of its own, since this one has imported the package."""
    if file.suffix != ".py":
        return False
    done = subprocess.run(  # noqa: S603 - ReFrame executes the user's own file, too
        [sys.executable, "-c", _PROGRAM, str(file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    # Another exit code is an error of the file itself, which ReFrame will report.
    return done.returncode != 3
