"""`reframe-firecrest report`: a page of a run."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reframe_firecrest.cli.completion import run_names
from reframe_firecrest.cli.exit_codes import fail
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
            help="A run's name, or enough of its beginning; by default that of --report, or the newest.",
            metavar="RUN",
            autocompletion=run_names,
        ),
    ] = None,
    *,
    results: Annotated[
        Path | None,
        typer.Option("--report", help="What ReFrame wrote with --report-file.", metavar="REPORT.json"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help=f"Where to write the page: a file, or - for standard output; {DEFAULT_OUTPUT} by default."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the data as one JSON object, and write no page.")
    ] = False,
) -> None:
    """Write a page of a run that any browser shows: one file, no network.

    It tells which tests failed and why, with the end of their output; what
    each test did when; where the time went, what it cost in requests and
    bytes; and the performance figures beside their references:

        reframe -C mysite.py -c checks -r --report-file=report.json
        reframe-firecrest report --report report.json --output report.html

    Without --report, verdicts and figures are missing. Without a journal of
    the run, for example on another machine, so are the times of its parts.
    A run may still go on, or have been killed.
    """
    if as_json and output is not None:
        fail("report", "--json and --output don't go together")
    try:
        made = _make(run, results)
        if as_json:
            typer.echo(json.dumps(asdict(made), indent=2))
            return
        page = render(made)
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
    typer.echo(f"{file}: {len(made.tests)} tests, {format_size(len(page.encode()))}")


def _make(name: str | None, file: Path | None) -> Report:
    results = None if file is None else read_reframe_report(file)
    found = _find(journal_directory(os.environ), name, results)
    # What tests print, and what their names say, is theirs; the user's secrets are not.
    return masked(report_of(found, results), mask_for(os.environ))


def _find(directory: Path, name: str | None, results: ReframeReport | None) -> Run | None:
    if name is not None:
        return pick(runs_in(directory, name), name, directory)
    if results is None:
        return newest_run(directory)
    try:
        return find_run(directory, results)
    except RunError as error:
        typer.echo(f"reframe-firecrest report: {error}; the page is made without it", err=True)
        return None
