"""`reframe-firecrest annotate`: show the results of a run in GitHub Actions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from reframe_firecrest.cli.exit_codes import fail
from reframe_firecrest.cli.options import ReframeReportFile
from reframe_firecrest.cli.report import collect
from reframe_firecrest.commands.report.github import error_commands, summary
from reframe_firecrest.model.errors import FirecrestError


def annotate(
    *,
    results: ReframeReportFile = None,
    history: Annotated[
        Path | None,
        typer.Option(help="ReFrame's results database, for since when a test has failed.", metavar="FILE.db"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--summary",
            help="File to which the summary is appended; the file that GITHUB_STEP_SUMMARY names by default.",
        ),
    ] = None,
) -> None:
    """Show the results of a run in GitHub Actions.

    The command prints one annotation for each failed test, up to ten, and
    appends a summary in Markdown to the summary of the job: the number of
    tests that passed and failed, each failed test with its reason, and each
    performance figure that is out of its limits. Use it in a step of its own:

        reframe-firecrest annotate --report report.json

    Without --report, the newest run is shown, from its journal alone.
    """
    file = output or Path(os.environ.get("GITHUB_STEP_SUMMARY") or os.devnull)
    try:
        data = collect(None, results, history)
        with file.open("a", encoding="utf-8") as target:
            target.write(summary(data))
    except FirecrestError as error:
        fail("annotate", str(error))
    except OSError as error:
        fail("annotate", f"{file} can't be written: {error.strerror or error}")
    for line in error_commands(data):
        typer.echo(line)
