"""`reframe-firecrest report`: write a page about a run."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reframe_firecrest.cli.completion import run_names
from reframe_firecrest.cli.exit_codes import fail
from reframe_firecrest.cli.options import ReframeReportFile
from reframe_firecrest.commands.report.history import read_history
from reframe_firecrest.commands.report.masking import mask_for, masked
from reframe_firecrest.commands.report.match_run import find_run
from reframe_firecrest.commands.report.model import Report, report_of
from reframe_firecrest.commands.report.page import render
from reframe_firecrest.commands.report.reframe_report import ReframeReport, read_reframe_report
from reframe_firecrest.journal.runs import Run, newest_run, pick, runs_in
from reframe_firecrest.model.atomic import atomic_write
from reframe_firecrest.model.errors import FirecrestError, RunError
from reframe_firecrest.model.units import format_size
from reframe_firecrest.settings import journal_directory

DEFAULT_OUTPUT = Path("report.html")


def report(
    run: Annotated[
        str | None,
        typer.Argument(
            help="Name of a run, or a unique beginning of it; by default the run of --report, or the newest.",
            metavar="RUN",
            autocompletion=run_names,
        ),
    ] = None,
    *,
    results: ReframeReportFile = None,
    history: Annotated[
        Path | None,
        typer.Option(
            help="ReFrame's results database, for past figures and since when a test has failed.",
            metavar="RESULTS.db",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help=f"Output file of the page, or - for standard output; {DEFAULT_OUTPUT} by default."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the data as one JSON object instead of writing a page.")
    ] = False,
) -> None:
    """Write a page about a run: one HTML file that needs no network.

    The page shows which tests failed and why, with the end of their output;
    the timeline of each test; where the time went; the number of requests
    and bytes; and the performance figures with their references:

        reframe -C mysite.py -c checks -r --report-file=report.json
        reframe-firecrest report --report report.json --output report.html

    Without --report, the page has no verdicts and no performance figures.
    Without the journal of the run, for example on another machine, it has
    no timelines. The run may still be running, or have been killed.
    With --history, the page shows up to 30 values of each performance figure
    and since when a test has been failing; see the command merge-results.
    """
    if as_json and output is not None:
        fail("report", "--json excludes --output")
    try:
        data = collect(run, results, history)
        if as_json:
            typer.echo(json.dumps(asdict(data), indent=2))
            return
        page = render(data)
        if str(output) == "-":
            typer.echo(page, nl=False)
            return
        file = output or DEFAULT_OUTPUT
        try:
            atomic_write(file, page)
        except OSError as error:
            fail("report", f"{file} can't be written: {error.strerror or error}")
    except FirecrestError as error:
        fail("report", str(error))
    typer.echo(f"{file}: {_count(len(data.tests))}, {format_size(len(page.encode()))}")


def collect(name: str | None, file: Path | None, history: Path | None = None) -> Report:
    """Collect the data of a run, without secrets.

    Args:
        name: name of the run; None for the run of the report, or the newest.
        file: ReFrame's report; None without one.
        history: ReFrame's results database; None without one.

    Raises:
        FirecrestError: a file is missing or can't be used.
    """
    results = None if file is None else read_reframe_report(file)
    sessions = [] if history is None else read_history(history)
    found = _find(journal_directory(os.environ), name, results)
    # Names and outputs of tests can contain the user's secrets.
    return masked(report_of(found, results, sessions=sessions), mask_for(os.environ))


def _count(tests: int) -> str:
    return "1 test" if tests == 1 else f"{tests} tests"


def _find(directory: Path, name: str | None, results: ReframeReport | None) -> Run | None:
    if name is not None:
        return pick(runs_in(directory, name), name, directory)
    if results is None:
        return newest_run(directory)
    try:
        return find_run(directory, results)
    except RunError as error:
        typer.echo(f"reframe-firecrest report: {error}; the page is written without it", err=True)
        return None
