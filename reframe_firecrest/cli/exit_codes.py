"""Exit codes of the commands and their meanings."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NoReturn

import typer

from reframe_firecrest.model.errors import one_line

PROGRAM = "reframe-firecrest"


class Exit(IntEnum):
    """Exit code of a command."""

    DONE = 0
    """Success."""
    INCOMPLETE = 1
    """Partial success: what failed is named in the output."""
    FAILED = 2
    """Nothing was done, for the reason in the error message."""
    STOPPED = 130
    """Stopped by Ctrl-C or SIGTERM."""


_STOPPED = "stopped by Ctrl-C or SIGTERM"

EXITS: Mapping[str, Mapping[Exit, str]] = {
    "annotate": {
        Exit.DONE: "the results were shown, whether tests failed or not",
        Exit.FAILED: "nothing was shown: no such run or report, or the summary can't be written",
    },
    "child-pipeline": {
        Exit.DONE: "the pipeline was written",
        Exit.FAILED: "nothing was written: the input is not a pipeline of ReFrame, or an output error",
    },
    "clean": {
        Exit.DONE: "everything was removed, or there was nothing to clean up",
        Exit.INCOMPLETE: "some jobs or directories could not be cancelled or removed; the output names them",
        Exit.FAILED: "nothing was done: no such run, a wrong setting, or an error of the gateway",
        Exit.STOPPED: _STOPPED,
    },
    "demo": {
        Exit.DONE: "all sample checks passed",
        Exit.INCOMPLETE: "a sample check failed",
        Exit.FAILED: "no check was run: something is missing",
        Exit.STOPPED: _STOPPED,
    },
    "detect": {
        Exit.DONE: "everything was written",
        Exit.INCOMPLETE: "some processor information or modules are missing; the output names them",
        Exit.FAILED: "nothing was written: a wrong option or setting, or an error of the gateway",
        Exit.STOPPED: f"{_STOPPED}; its jobs were cancelled",
    },
    "doctor": {
        Exit.DONE: "no check failed; there may be warnings",
        Exit.INCOMPLETE: "a check failed",
        Exit.FAILED: "nothing was checked: an option or a setting is wrong",
        Exit.STOPPED: f"{_STOPPED}; its job was cancelled and its file removed",
    },
    "merge-results": {
        Exit.DONE: "all sources were merged",
        Exit.INCOMPLETE: "some sources could not be read; the output names them",
        Exit.FAILED: "nothing was merged: the target is not a results database, or can't be written",
    },
    "report": {
        Exit.DONE: "the page was written",
        Exit.FAILED: "nothing was written: no such run, no such report, or they do not belong together",
        Exit.STOPPED: "stopped by Ctrl-C",
    },
    "sandbox": {
        Exit.DONE: "it was stopped; with COMMAND, the exit code is that of COMMAND",
        Exit.FAILED: "it could not be started",
    },
    "status": {
        Exit.DONE: "the run was shown",
        Exit.FAILED: "there is no such run, or its journal can't be read",
        Exit.STOPPED: "stopped by Ctrl-C",
    },
}
"""Meanings of the exit codes, by command. Wrong options are `Exit.FAILED` for every command."""


def epilog(command: str) -> str:
    """Return the description of a command's exit codes for its help."""
    codes = [f"{code.value:>4} {meaning}" for code, meaning in EXITS[command].items()]
    return "\n".join(["Exit codes:", *codes])


def fail(command: str, message: str) -> NoReturn:
    """Print an error message of one line, and exit."""
    typer.echo(f"{PROGRAM} {command}: {one_line(message)}", err=True)
    raise typer.Exit(Exit.FAILED)
