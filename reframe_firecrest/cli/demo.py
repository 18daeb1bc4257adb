"""`reframe-firecrest demo`: run the sample checks through the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reframe_firecrest.cli.exit_codes import fail
from reframe_firecrest.commands.demo.demo import missing, report_file, run_demo
from reframe_firecrest.commands.report.masking import mask_for, masked
from reframe_firecrest.commands.report.match_run import find_run
from reframe_firecrest.commands.report.model import report_of
from reframe_firecrest.commands.report.page import render
from reframe_firecrest.commands.report.reframe_report import ReframeReport, read_reframe_report
from reframe_firecrest.journal.runs import Run
from reframe_firecrest.model.atomic import atomic_write
from reframe_firecrest.model.errors import FirecrestError, RunError, one_line

DEFAULT_DIRECTORY = Path("reframe-firecrest-demo")


def demo(
    *,
    directory: Annotated[
        Path, typer.Option(help="Output directory; files of an earlier demo in it are replaced.")
    ] = DEFAULT_DIRECTORY,
) -> None:
    """Run the sample checks through a sandbox gateway on this machine.

    The command starts the sandbox, runs ReFrame on the checks that come with
    this package, stops the sandbox and writes a page about the run. It needs
    no account, Slurm or gateway, only the extra "sandbox" and a C compiler:

        pip install 'reframe-firecrest[sandbox]'
        reframe-firecrest demo
    """
    lack = missing()
    if lack is not None:
        fail("demo", lack)
    from firecrest_sandbox import SandboxError  # noqa: PLC0415  needs the extra

    try:
        code = run_demo(directory)
        typer.echo(
            f"report: {report_file(directory)}, performance logs: {directory / 'reframe' / 'perflogs'}"
        )
    except (FirecrestError, SandboxError) as error:
        fail("demo", str(error))
    except OSError as error:
        fail("demo", f"{error.filename or directory}: {error.strerror or error}")
    _try_to_write_page(directory)
    raise typer.Exit(code)


def _try_to_write_page(directory: Path) -> None:
    """Write the page of the run; a failure does not change the result of the checks."""
    try:
        typer.echo(f"page: {_write_page(directory)}")
    except Exception as error:  # noqa: BLE001 - see the docstring
        reason = str(error) if isinstance(error, FirecrestError) else f"{type(error).__name__}: {error}"
        typer.echo(f"reframe-firecrest demo: warning: the page was not written: {one_line(reason)}", err=True)


def _write_page(directory: Path) -> Path:
    results = read_reframe_report(report_file(directory))
    page = directory / "report.html"
    made = report_of(_run(directory.absolute() / "journals", results), results)
    atomic_write(page, render(masked(made, mask_for({}))))
    return page


def _run(journals: Path, results: ReframeReport) -> Run | None:
    try:
        return find_run(journals, results)
    except RunError as error:
        typer.echo(f"reframe-firecrest demo: warning: {error}; the page is written without it", err=True)
        return None
