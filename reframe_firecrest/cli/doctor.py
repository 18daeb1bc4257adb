"""`reframe-firecrest doctor`: can tests run on a system and, if not, why."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from reframe_firecrest.cli.exits import Exit, fail
from reframe_firecrest.diagnosis.case import Subject
from reframe_firecrest.diagnosis.checkup import checks_of, without_settings
from reframe_firecrest.diagnosis.findings import Finding, Status
from reframe_firecrest.diagnosis.running import diagnose
from reframe_firecrest.diagnosis.subjects import subjects_of
from reframe_firecrest.diagnosis.table import render
from reframe_firecrest.errors import FirecrestError

WIDTH = 160
"""Columns where there is no terminal that has a width."""


def doctor(
    *,
    config: Annotated[
        Path | None,
        typer.Option(help="Take the settings of the partitions in this file that use firecrest-scheduler."),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(help="Only this system or partition of the file.", metavar="NAME[:PARTITION]"),
    ] = None,
    transfer: Annotated[
        bool, typer.Option("--transfer", help="Move a file by S3 there and back, which queues two jobs.")
    ] = False,
    job: Annotated[bool, typer.Option("--job", help="Submit a trivial job to each partition.")] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds for which each job of --transfer and --job may take.")
    ] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check whether tests can run on a system and, if not, say what to do.

    Set the FIRECREST_* variables first (see the README), or name a
    configuration whose partitions have their settings:

        reframe-firecrest doctor
        reframe-firecrest doctor --config mysite.py --system mysite

    One line for each check: ok, WARN (tests run, but something is not as it
    should be), FAIL (with what to do), skip (an earlier check has failed, or
    it can't be told). A small file is written below the base directory and
    removed again. No job is submitted, unless you ask for it:

        reframe-firecrest doctor --transfer --job
    """
    if system is not None and config is None:
        fail("doctor", "--system goes with --config; without it, set FIRECREST_SYSTEM")
    # A pipeline that is stopped must not leave jobs in the queue any more than Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found: list[tuple[Subject | None, list[tuple[str, Finding]]]]
    try:
        subjects = subjects_of(config, system, os.environ)
    except FirecrestError as error:
        found, code = [(None, without_settings(error))], Exit.FAILED
    else:
        with Console(stderr=True, highlight=False).status("") as status:
            found = [
                (
                    subject,
                    diagnose(
                        subject,
                        checks_of(subject, transfer=transfer, job=job),
                        timeout=timeout,
                        tell=lambda name: status.update(escape(f"checking: {name}")),
                    ),
                )
                for subject in subjects
            ]
        failed = any(finding.status is Status.RED for _, findings in found for _, finding in findings)
        code = Exit.INCOMPLETE if failed else Exit.DONE
    if as_json:
        systems = [_as_data(subject, findings) for subject, findings in found]
        typer.echo(json.dumps({"healthy": code == 0, "systems": systems}, indent=2))
    else:
        _show(found)
    if code:
        raise typer.Exit(code)


def _show(found: Sequence[tuple[Subject | None, Sequence[tuple[str, Finding]]]]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    for number, (subject, findings) in enumerate(found):
        if number:
            console.print()
        if subject is not None and any(subject.partitions):
            console.print(escape(", ".join(subject.partitions)), style="bold")
        console.print(render(findings))


def _as_data(subject: Subject | None, findings: Sequence[tuple[str, Finding]]) -> dict[str, Any]:
    return {
        "url": str(subject.settings.url) if subject else None,
        "system": subject.settings.system if subject else None,
        "partitions": [name for name in subject.partitions if name] if subject else [],
        "checks": [{"check": name, **asdict(finding)} for name, finding in findings],
    }
