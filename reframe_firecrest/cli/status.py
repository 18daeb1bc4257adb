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

from reframe_firecrest.cli.completion import run_names
from reframe_firecrest.cli.exit_codes import fail
from reframe_firecrest.commands.status.table import render
from reframe_firecrest.journal.run_status import ALIVE, now_of, run_status_of
from reframe_firecrest.journal.runs import Run, newest_run, pick, runs_in
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
            help="Name of a run, or a unique beginning of it; the newest run by default.",
            metavar="RUN",
            autocompletion=run_names,
        ),
    ] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Update the output until the run is over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the tests of a run, their jobs and what they are waiting for.

    Use it in a second terminal while ReFrame runs, or after the run. The
    command reads only the run's journal and sends no request:

        reframe-firecrest status --watch

    In the phase `submitted`, Slurm has the job, and the column `state` shows
    the state in Slurm. The column `queue` is the time that the job waited
    there. The column `time` is the time in the current phase, or the total
    time of a job that is done, failed or cancelled. Journals are in
    FIRECREST_JOURNAL_DIR or ~/.local/state/reframe-firecrest.
    """
    if watch and as_json:
        fail("status", "--watch excludes --json")
    directory = journal_directory(os.environ)
    try:
        selected = _find(directory, run)
        if as_json:
            sessions = [asdict(summary) for summary in _summaries(selected)]
            data = {"run": selected.name, "standing": selected.standing.value, "sessions": sessions}
            typer.echo(json.dumps(data, indent=2))
            return
        console = Console(highlight=False)
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = WIDTH
        if watch:
            _watch(directory, selected, console)
        else:
            console.print(render(_summaries(selected)))
    except RunError as error:
        fail("status", str(error))


def _find(directory: Path, name: str | None) -> Run:
    return newest_run(directory) if name is None else pick(runs_in(directory, name), name, directory)


def _summaries(run: Run) -> list[SessionSummary]:
    return [
        summarise_session(session_log, run_status_of(session_log), now_of(session_log))
        for session_log in run.session_logs
    ]


def _watch(directory: Path, run: Run, console: Console) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            run = pick(runs_in(directory, run.name), run.name, directory)
            running = run.standing in ALIVE
            if not running:
                # Its last lines may have been written after it was read the first time.
                run = pick(runs_in(directory, run.name), run.name, directory)
            live.update(render(_summaries(run), console.height if running else None), refresh=True)
            if not running:
                return
            time.sleep(STEP)
