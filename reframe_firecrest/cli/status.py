"""`reframe-firecrest status`: how a run stands, from its journal."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from reframe_firecrest.cli.completion import run_names
from reframe_firecrest.cli.exit_codes import fail
from reframe_firecrest.commands.status.table import render
from reframe_firecrest.journal.run_status import ALIVE, now_of, run_status_of
from reframe_firecrest.journal.runs import Run, newest_run, pick, runs_in
from reframe_firecrest.journal.summary import SessionSummary, summarise_session
from reframe_firecrest.model.errors import RunError
from reframe_firecrest.settings import journal_directory

STEP = 1.0
"""Seconds between two looks."""

WIDTH = 160
"""Columns where there is no terminal that has a width."""


def status(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run's name, or enough of its beginning; the newest by default.",
            metavar="RUN",
            autocompletion=run_names,
        ),
    ] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it until the run is over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how a run stands: its tests, their jobs and what they wait for.

    It works in another terminal while ReFrame runs, and after the run. It
    reads the run's journal only and sends no request:

        reframe-firecrest status --watch

    `submitted` means that Slurm has the job; Slurm's own state stands beside
    it. The queue is how long it waited there; the time is that in the phase,
    or all that the job took if it is done, failed or cancelled. Journals are in FIRECREST_JOURNAL_DIR or
    ~/.local/state/reframe-firecrest.
    """
    if watch and as_json:
        fail("status", "--watch and --json don't go together")
    directory = journal_directory(os.environ)
    try:
        found = _find(directory, run)
        if as_json:
            overviews = [asdict(overview) for overview in _overviews(found)]
            data = {"run": found.name, "standing": found.standing.value, "sessions": overviews}
            typer.echo(json.dumps(data, indent=2))
            return
        console = Console(highlight=False)
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = WIDTH
        if watch:
            _watch(directory, found, console)
        else:
            console.print(render(_overviews(found)))
    except RunError as error:
        fail("status", str(error))


def _find(directory: Path, name: str | None) -> Run:
    return newest_run(directory) if name is None else pick(runs_in(directory, name), name, directory)


def _overviews(run: Run) -> list[SessionSummary]:
    return [
        summarise_session(session_log, run_status_of(session_log), now_of(session_log))
        for session_log in run.session_logs
    ]


def _watch(directory: Path, run: Run, console: Console) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            run = pick(runs_in(directory, run.name), run.name, directory)
            goes_on = run.standing in ALIVE
            if not goes_on:
                # Its last lines may have been written after it was read.
                run = pick(runs_in(directory, run.name), run.name, directory)
            live.update(render(_overviews(run), console.height if goes_on else None), refresh=True)
            if not goes_on:
                return
            time.sleep(STEP)
