"""The batch scripts of transfer jobs."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from firecrest_sandbox.v2.transfer import worker


def command_script(header: str, title: str, done: str, command: Sequence[str]) -> str:
    """Return a script that runs one command and logs its result as the real gateway does.

    As with the real gateway (measured), the job succeeds even if the command fails. Only the error log
    contains the failure, without the exit code.

    Args:
        header: first lines of the script, with the site's directives.
        title: title in the log, e.g. `Copy Files`.
        done: participle in the log line of success, e.g. `copied`.
        command: the program and its arguments.
    """
    infinitive = title.partition(" ")[0].lower()
    return f"""{header}echo "$(date -u) {title} Job (id:$SLURM_JOB_ID)"
if {shlex.join(command)}; then
    echo "$(date -u) Files were successfully {done}."
else
    echo "$(date -u) Unable to {infinitive} files exit code:0 error: " >&2
fi
"""


def worker_script(header: str, orders: Mapping[str, Any]) -> str:
    """Return a script that runs the transfer worker with these orders."""
    python = shlex.join([sys.executable, "-I", "-S", str(Path(worker.__file__).resolve())])
    return f"{header}exec {python} <<'ORDERS'\n{json.dumps(orders)}\nORDERS\n"


def waiting_script(header: str, title: str) -> str:
    """Return a script that waits for a peer until its time limit, because this server transfers nothing."""
    return f'{header}echo "$(date -u) {title} Job (id:$SLURM_JOB_ID)"\nexec sleep infinity\n'
