"""The console script `reframe-firecrest` with its subcommands."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from firecrest_sandbox.cli import sandbox
from reframe_firecrest._version import __version__
from reframe_firecrest.cli.annotate import annotate
from reframe_firecrest.cli.child_pipeline import child_pipeline
from reframe_firecrest.cli.clean import clean
from reframe_firecrest.cli.demo import demo
from reframe_firecrest.cli.detect import detect
from reframe_firecrest.cli.doctor import doctor
from reframe_firecrest.cli.exit_codes import PROGRAM, Exit, epilog
from reframe_firecrest.cli.merge_results import merge_results
from reframe_firecrest.cli.report import report
from reframe_firecrest.cli.status import status
from reframe_firecrest.model.errors import one_line

app = typer.Typer(
    name=PROGRAM,
    help="Run ReFrame regression tests on HPC systems through FirecREST.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _help(command: Callable[..., None]) -> str:
    """Return the help text of a command; its examples name this program."""
    return (inspect.getdoc(command) or "").replace("    firecrest-sandbox", f"    {PROGRAM} sandbox")


for command in (
    annotate,
    child_pipeline,
    clean,
    demo,
    detect,
    doctor,
    merge_results,
    report,
    sandbox,
    status,
):
    name = command.__name__.replace("_", "-")
    app.command(name, help=_help(command), epilog=epilog(name))(command)

USAGE_ERROR: type[typer.BadParameter] = typer.BadParameter.__bases__[0]
"""Base class of the errors that Typer raises for wrong options; it has no public name."""


def _print_version(*, value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options before the subcommand."""


def main() -> None:
    """Run the command line; report wrong options in one line."""
    try:
        code = app(prog_name=PROGRAM, standalone_mode=False)
    except USAGE_ERROR as error:
        message = error.format_message()
        # Without a subcommand, Typer has printed the help.
        if message:
            command = error.ctx.command_path if error.ctx else PROGRAM
            typer.echo(f"{command}: {one_line(message.rstrip('.'))}; see: {command} --help", err=True)
        sys.exit(Exit.FAILED)
    sys.exit(code)
