"""Checks blocks that are not run: settings, checks and pieces of both by ReFrame, data by its own parser."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from reframe_firecrest.settings import OPTIONS, Place, read_settings
from tests.conftest import PROJECT
from tests.docs.handling import is_check, is_fragment, is_settings
from tests.docs.pages import Block

ENVIRONMENT = {
    "FIRECREST_URL": "https://firecrest.example.org/v2",
    "AUTH_TOKEN_URL": "https://idp.example.org/token",
    "FIRECREST_CLIENT_ID": "me",
    "FIRECREST_CLIENT_SECRET": "tr0ub4dor&3",
    "FIRECREST_SYSTEM": "mycluster",
    "FIRECREST_BASEDIR": "/scratch/me",
    "FIRECREST_ACCOUNT": "myproject",
    "FAR_SECRET": "tr0ub4dor&3",
    "OTHER_SECRET": "tr0ub4dor&3",
}
"""Variables that a reader of the pages has exported."""


def check_data(block: Block) -> None:
    """Parse JSON or YAML."""
    if block.language == "json":
        json.loads(block.text)
    else:
        # Tags of other programs, such as GitLab's `!reference`, are read as text.
        assert list(YAML().load_all(block.text)), "nothing is in it"


def check_python(block: Block, directory: Path) -> None:
    """Read settings and checks with ReFrame, parts of settings like a run; compile all other code."""
    if block.mark("compiled") is not None:
        compile(block.text, str(block), "exec")
    elif is_settings(block):
        _check_settings(block, directory)
    elif is_check(block):
        _check_check(block, directory)
    elif is_fragment(block):
        found = ast.literal_eval(f"{{{block.text}}}")
        _check_options(found.get("sched_options"), found)
    else:
        compile(block.text, str(block), "exec")


def _check_settings(block: Block, directory: Path) -> None:
    file = directory / "settings.py"
    file.write_text(block.text)
    shown = _reframe(directory, "-C", str(file), "--show-config=systems")
    (system,) = json.loads(shown)
    for place in [system, *system["partitions"]]:
        _check_options(place.get("sched_options"), system)


def _check_options(options: Mapping[str, Any] | None, beside: Mapping[str, Any]) -> None:
    """See that the settings are such as we take; what they lack is in the environment."""
    if not options or OPTIONS not in options:
        return
    of_system = beside.get("sched_options") or {}
    places = [Place("the block", options[OPTIONS]), Place("its system", of_system.get(OPTIONS, {}))]
    read_settings(places, ENVIRONMENT)


def _check_check(block: Block, directory: Path) -> None:
    (directory / "check.py").write_text(block.text)
    # What a test on a page imports are the examples.
    for example in (PROJECT / "docs/examples").glob("*.py"):
        (directory / example.name).write_bytes(example.read_bytes())
    classes = re.findall(r"@rfm\.simple_test\nclass (\w+)", block.text)
    listed = _reframe(directory, "-C", str(PROJECT / "config/sandbox.py"), "-c", "check.py", "-l")
    missing = [name for name in classes if not re.search(rf"^- {name}\b", listed, re.MULTILINE)]
    assert not missing, f"{block}: not listed: {missing}\n{listed}"


def _reframe(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from reframe.frontend.cli import main; main()", *arguments],
        cwd=directory,
        env={"PATH": "/nonexistent", "HOME": str(directory), "LANG": "C.UTF-8", **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout
