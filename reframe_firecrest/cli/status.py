"""`reframe-firecrest status`: show the state of a run from its journal."""

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
from rich.text import Text

from reframe_firecrest.cli.completion import run_names
from reframe_firecrest.cli.exit_codes import fail
from reframe_firecrest.commands.status.table import render
from reframe_firecrest.journal.run_status import ALIVE, now_of, run_status_of
from reframe_firecrest.journal.runs import Run, active_run, newest_run, pick, runs_in
from reframe_firecrest.journal.summary import SessionSummary, summarise_session
from reframe_firecrest.model.errors import RunError
from reframe_firecrest.settings import journal_directory

STEP = 1.0
"""Seconds between two updates of --watch."""

WIDTH = 160
"""Columns of the output if it does not go to a terminal."""


def status(
    run: Annotated[
        str | None,
        typer.Argument(
            help="Name of a run, or a unique beginning of it; by default the newest run that is active, "
            "or else the newest run.",
            metavar="RUN",
            autocompletion=run_names,
        ),
    ] = None,
    *,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Update the output until the run is over; wait for a run to start."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the tests of a run, their jobs and what they are waiting for.

    Use it in a second terminal while ReFrame runs, or after the run. The
    command reads only the run's journal and sends no request:

        reframe-firecrest status --watch

    The column `state` shows the result of a test, or what it waits for. A job
    that is `pending` or `running` is so in Slurm. The column `queue` is the
    time that the job waited there. The column `time` is the time in the
    current state, or the total time of a job that has ended. Narrow terminals
    show fewer columns. Journals are in FIRECREST_JOURNAL_DIR or
    ~/.local/state/reframe-firecrest.
    """
    if watch and as_json:
        fail("status", "--watch excludes --json")
    directory = journal_directory(os.environ)
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    try:
        if watch:
            _watch(directory, run, console)
            return
        selected = _find(directory, run)
        if as_json:
            sessions = [asdict(summary) for summary in _summaries(selected)]
            data = {"run": selected.name, "standing": selected.standing.value, "sessions": sessions}
            typer.echo(json.dumps(data, indent=2))
            return
        console.print(render(_summaries(selected), width=console.width))
    except RunError as error:
        fail("status", str(error))


def _find(directory: Path, name: str | None) -> Run:
    return newest_run(directory) if name is None else pick(runs_in(directory, name), name, directory)


def _summaries(run: Run) -> list[SessionSummary]:
    return [
        summarise_session(session_log, run_status_of(session_log), now_of(session_log))
        for session_log in run.session_logs
    ]


def _watch(directory: Path, name: str | None, console: Console) -> None:
    """Show a run until it is over, on a screen of its own, then print its end."""
    run = _find(directory, name) if name is not None else _wait_for_run(directory, console)
    # A screen of its own is drawn anew each time, so it survives a change of the terminal's size.
    with Live(console=console, auto_refresh=False, screen=console.is_terminal, transient=True) as live:
        while run.standing in ALIVE:
            live.update(render(_summaries(run), console.height, console.width), refresh=True)
            time.sleep(STEP)
            run = _find(directory, run.name)
    # Its last lines may have been written after it was read.
    console.print(render(_summaries(_find(directory, run.name)), width=console.width))


def _wait_for_run(directory: Path, console: Console) -> Run:
    """Return the active run; wait until there is one."""
    run = active_run(directory)
    if run is None:
        text = f"no run is active; waiting for one in {directory} (Ctrl-C ends this)"
        console.print(Text(text), soft_wrap=True)
    while run is None:
        time.sleep(STEP)
        run = active_run(directory)
    return run
