"""Options that several subcommands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ReframeReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="Report of ReFrame, written with its option --report-file.",
        metavar="REPORT.json",
    ),
]
