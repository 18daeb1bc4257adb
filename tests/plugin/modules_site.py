"""A settings file whose systems have modules, and ReFrame's runtime for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import reframe.core.runtime as rt

from reframe_firecrest.modules.changes import changes_undone
from reframe_firecrest.modules.snapshot import Snapshot
from reframe_firecrest.modules.snapshot_file import write_snapshots

SITE = """
import reframe_firecrest

partitions = [
    {{
        "name": name,
        "scheduler": "firecrest-scheduler",
        "launcher": "firecrest-srun",
        "environs": ["plain", "gnu"] if name == "cpu" else ["plain"],
    }}
    for name in ("cpu", "gpu")
]

site_configuration = {{
    "systems": [
        {{
            "name": "daint",
            "hostnames": [".*"],
            "modules_system": {kind!r},
            "sched_options": {{"firecrest": {options!r}}},
            "partitions": partitions,
        }},
        {{
            "name": "laptop",
            "hostnames": ["nosuch"],
            "modules_system": {kind!r},
            "partitions": [
                {{"name": "login", "scheduler": "local", "launcher": "local", "environs": ["plain"]}}
            ],
        }},
    ],
    "environments": [
        {{"name": "plain"}},
        {{
            "name": "gnu",
            "modules": ["PrgEnv-gnu", "gcc/13.1"],
            "env_vars": [["X", "$(touch expanded)"]],
            "prepare_cmds": ["hello"],
        }},
    ],
}}
"""


def write_site(
    directory: Path, snapshots: Sequence[Snapshot] = (), kind: str = "lmod", **options: object
) -> Path:
    """Write the settings and the snapshots of the system `daint`."""
    file = directory / "mine.py"
    file.write_text(SITE.format(kind=kind, options=options))
    if snapshots:
        write_snapshots(directory / "daint.modules.json", "daint", snapshots)
    return file


@contextmanager
def running(file: Path, system: str = "daint", **options: object) -> Iterator[Any]:
    """Run a block in ReFrame's runtime."""
    settings = {f"general/{name}": value for name, value in options.items()}
    with changes_undone(os.environ), rt.temp_runtime(str(file), system, settings) as runtime:
        yield runtime


def now() -> datetime:
    return datetime.now(timezone.utc)
