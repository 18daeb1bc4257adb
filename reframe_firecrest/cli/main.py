"""The console script `reframe-firecrest`: gathers the subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

from reframe_firecrest._version import __version__
from reframe_firecrest.cli.clean import clean
from reframe_firecrest.cli.demo import demo
from reframe_firecrest.cli.detect import detect
from reframe_firecrest.cli.doctor import doctor
from reframe_firecrest.cli.report import report
from reframe_firecrest.cli.sandbox import sandbox
from reframe_firecrest.cli.status import status

app = typer.Typer(
    name="reframe-firecrest",
    help="Run ReFrame regression tests on systems that are reached only through FirecREST.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(clean)
app.command()(demo)
app.command()(detect)
app.command()(doctor)
app.command()(report)
app.command()(sandbox)
app.command()(status)


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
    """Run the command line."""
    app()
