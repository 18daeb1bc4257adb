"""`reframe-firecrest merge-results`: merge ReFrame's results databases."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from reframe_firecrest.cli.exit_codes import Exit, fail
from reframe_firecrest.commands.clean.duration import parse_duration
from reframe_firecrest.commands.history.merge import Merged, merge
from reframe_firecrest.model.errors import FirecrestError


def merge_results(
    target: Annotated[
        Path, typer.Argument(help="The database; it is created if it is missing.", metavar="TARGET.db")
    ],
    sources: Annotated[
        list[Path],
        typer.Argument(help="Databases, or reports that --report-file has written.", metavar="SOURCE..."),
    ],
    *,
    keep: Annotated[
        str | None,
        typer.Option(help="Remove sessions that are older than this, such as 90d.", metavar="AGE"),
    ] = None,
) -> None:
    """Merge results databases of ReFrame, so that a history survives its runners.

    ReFrame stores the results of all sessions in one database, if it is
    started with RFM_ENABLE_RESULTS_STORAGE=1. This command adds the sessions
    of other databases to one of them:

        reframe-firecrest merge-results history.db results.db --keep 90d
        reframe-firecrest report --report report.json --history history.db

    Sessions that the target already has are not added again, and sources
    never change.
    Several processes may merge into the same database at the same time.
    """
    try:
        oldest = None if keep is None else time.time() - parse_duration(keep)
    except ValueError as error:
        fail("merge-results", f"--keep: {error}")
    try:
        merged = merge(target, sources, oldest)
    except FirecrestError as error:
        fail("merge-results", str(error))
    for skipped in merged.skipped:
        typer.echo(f"reframe-firecrest merge-results: {skipped}; skipped", err=True)
    typer.echo(f"{target}: {_summary(merged)}")
    if merged.skipped:
        raise typer.Exit(Exit.INCOMPLETE)


def _summary(merged: Merged) -> str:
    sessions = "1 session" if merged.sessions == 1 else f"{merged.sessions} sessions"
    return f"{sessions}, {merged.added} added, {merged.removed} removed"
