"""Exit codes: the same for all commands."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """What the exit code of a command says."""

    DONE = 0
    INCOMPLETE = 1
    FAILED = 2
    STOPPED = 130


MEANINGS: Mapping[Exit, str] = {
    Exit.DONE: "all is done, or all is well",
    Exit.INCOMPLETE: "part of it is not: it has failed, is missing or is left, and is named",
    Exit.FAILED: "nothing was done, and one line says why: an option, a setting, no such run, the gateway",
    Exit.STOPPED: "stopped by Ctrl-C or SIGTERM",
}
"""What each means to a script, whatever the command."""
