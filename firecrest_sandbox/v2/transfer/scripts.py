"""The batch scripts of transfer jobs."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from firecrest_sandbox.v2.status import TRANSFER_DIRECTIVES
from firecrest_sandbox.v2.transfer import worker

_HEADER = "\n".join(["#!/bin/bash", *TRANSFER_DIRECTIVES])


def command_script(title: str, done: str, command: Sequence[str]) -> str:
    """Return a script that runs one command and logs what came of it in the gateway's words.

    Like the real gateway's job it reports success even where the command fails (measured); only the error
    log tells, and not the exit code either.

    Args:
        title: what the log begins with, e.g. `Copy Files`.
        done: the participle in the line that clients look for, e.g. `copied`.
        command: the program and its arguments.
    """
    infinitive = title.partition(" ")[0].lower()
    return f"""{_HEADER}
echo "$(date -u) {title} Job (id:$SLURM_JOB_ID)"
if {shlex.join(command)}; then
    echo "$(date -u) Files were successfully {done}."
else
    echo "$(date -u) Unable to {infinitive} files exit code:0 error: " >&2
fi
"""


def worker_script(orders: Mapping[str, Any]) -> str:
    """Return a script that runs the transfer worker with these orders."""
    python = shlex.join([sys.executable, "-I", "-S", str(Path(worker.__file__).resolve())])
    return f"{_HEADER}\nexec {python} <<'ORDERS'\n{json.dumps(orders)}\nORDERS\n"
