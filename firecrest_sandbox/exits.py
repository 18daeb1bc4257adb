"""Errors of the command line: one line on standard error, and an exit code."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NoReturn

import typer

PROGRAM = ContextVar("PROGRAM", default="reframe-firecrest sandbox")
"""The command that the user started."""

FAILED = 2
"""Exit code for wrong options, and for a server that cannot be started."""


def fail(message: str) -> NoReturn:
    """Report an error in one line and exit."""
    report(message)
    raise typer.Exit(FAILED)


def report(message: str) -> None:
    """Print an error in one line."""
    typer.echo(f"{PROGRAM.get()}: {_one_line(message)}", err=True)


def _one_line(text: str) -> str:
    """Escape characters that a terminal or a log would not print."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )
