"""The console script `reframe-firecrest`: gathers the subcommands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from firecrest_sandbox.cli import sandbox
from reframe_firecrest._version import __version__
from reframe_firecrest.cli.clean import clean
from reframe_firecrest.cli.demo import demo
from reframe_firecrest.cli.detect import detect
from reframe_firecrest.cli.doctor import doctor
from reframe_firecrest.cli.exit_codes import PROGRAM, Exit, epilog
from reframe_firecrest.cli.report import report
from reframe_firecrest.cli.status import status
from reframe_firecrest.model.errors import one_line

app = typer.Typer(
    name=PROGRAM,
    help="Run ReFrame regression tests on systems that are reached only through FirecREST.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for command in (clean, demo, detect, doctor, report, sandbox, status):
    app.command(epilog=epilog(command.__name__))(command)

USAGE_ERROR: type[typer.BadParameter] = typer.BadParameter.__bases__[0]
"""What the command line's library raises for wrong options; it has no public name for it."""


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
    """Options that stand before the subcommand."""


def main() -> None:
    """Run the command line. Whatever is wrong with it is told in one line."""
    try:
        code = app(prog_name=PROGRAM, standalone_mode=False)
    except USAGE_ERROR as error:
        said = error.format_message()
        # Without a command its help has been shown.
        if said:
            where = error.ctx.command_path if error.ctx else PROGRAM
            typer.echo(f"{where}: {one_line(said.rstrip('.'))}; see: {where} --help", err=True)
        sys.exit(Exit.FAILED)
    sys.exit(code)
