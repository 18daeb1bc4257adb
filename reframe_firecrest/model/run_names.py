"""Unique names of runs, which contain the start time."""

from __future__ import annotations

import re
import secrets
import socket
import time
from datetime import datetime, timezone
from functools import cache

PROVISIONAL = "firecrest-"
"""Prefix of the ids that ReFrame sees until Slurm has assigned one."""

_BEGUN = "%Y%m%d-%H%M%S"
NAME = r"(?P<begun>[0-9]{8}-[0-9]{6})-[A-Za-z0-9-]{0,32}-[0-9a-f]{6}"
"""Regular expression for the name of a run."""

_NAME = re.compile(NAME)


def new_name() -> str:
    """Return a name for a run that starts now: the time in UTC, this host's name and a random part."""
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname().partition(".")[0])[:32]
    # gmtime() alone reads a coarse clock, which can be a second behind.
    return f"{time.strftime(_BEGUN, time.gmtime(time.time()))}-{host}-{secrets.token_hex(3)}"


@cache
def run_name() -> str:
    """Return the name of this process's run."""
    return new_name()


def start_time_of(name: str) -> float | None:
    """Return a run's start time, in seconds since the epoch; None if the name is not a run's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return datetime.strptime(match["begun"], _BEGUN).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None
