"""Exit codes: the same for all commands, and what they say of each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NoReturn

import typer

from reframe_firecrest.model.errors import one_line

PROGRAM = "reframe-firecrest"


class Exit(IntEnum):
    """What the exit code of a command says."""

    DONE = 0
    """All is done, or all is well."""
    INCOMPLETE = 1
    """Part of it is not: it has failed, is missing or is left, and is named."""
    FAILED = 2
    """Nothing was done, and one line says why."""
    STOPPED = 130
    """Stopped by Ctrl-C or SIGTERM."""


_STOPPED = "stopped by Ctrl-C or SIGTERM"

EXITS: Mapping[str, Mapping[Exit, str]] = {
    "clean": {
        Exit.DONE: "all is gone, or there was nothing",
        Exit.INCOMPLETE: "something could not be cancelled or removed, and is named with the reason",
        Exit.FAILED: "nothing was done, and one line says why: no such run, a setting, the gateway",
        Exit.STOPPED: _STOPPED,
    },
    "demo": {
        Exit.DONE: "all sample checks have passed",
        Exit.INCOMPLETE: "one has failed",
        Exit.FAILED: "none was run, and one line says what is missing",
        Exit.STOPPED: _STOPPED,
    },
    "detect": {
        Exit.DONE: "all was written",
        Exit.INCOMPLETE: "the processors of a partition are missing, which is named; the rest was written",
        Exit.FAILED: "nothing was found out, and one line says why",
        Exit.STOPPED: f"{_STOPPED}; its jobs are cancelled",
    },
    "doctor": {
        Exit.DONE: "nothing has failed; there may be warnings",
        Exit.INCOMPLETE: "something has failed",
        Exit.FAILED: "the options or the settings are wrong, so that nothing could be checked",
        Exit.STOPPED: f"{_STOPPED}; its job is cancelled and its file removed",
    },
    "report": {
        Exit.DONE: "the page is written",
        Exit.FAILED: "it is not, and one line says why: no such run, no such report, or not of the same run",
        Exit.STOPPED: "stopped by Ctrl-C",
    },
    "sandbox": {
        Exit.DONE: "it was stopped; with COMMAND, the code is COMMAND's",
        Exit.FAILED: "it could not be started, and one line says why",
    },
    "status": {
        Exit.DONE: "it was shown",
        Exit.FAILED: "there is no such run, or its journal can't be read",
        Exit.STOPPED: "stopped by Ctrl-C",
    },
}
"""By command. Wrong options are `Exit.FAILED` for all."""


def epilog(command: str) -> str:
    """Return what the help of a command says of its exit codes."""
    codes = [f"{code.value:>4} {meaning}" for code, meaning in EXITS[command].items()]
    return "\n".join(["Exit codes:", *codes])


def fail(command: str, message: str) -> NoReturn:
    """Say in one line why a command can't do anything, and end."""
    typer.echo(f"{PROGRAM} {command}: {one_line(message)}", err=True)
    raise typer.Exit(Exit.FAILED)
