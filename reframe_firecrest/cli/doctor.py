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

from reframe_firecrest.cli.exit_codes import Exit, fail
from reframe_firecrest.commands.doctor.checklist import checks_of, without_settings
from reframe_firecrest.commands.doctor.context import DiagnosisTarget
from reframe_firecrest.commands.doctor.findings import Finding, Status
from reframe_firecrest.commands.doctor.runner import diagnose
from reframe_firecrest.commands.doctor.table import render
from reframe_firecrest.commands.doctor.targets import diagnosis_targets
from reframe_firecrest.model.errors import FirecrestError

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
    found: list[tuple[DiagnosisTarget | None, list[tuple[str, Finding]]]]
    try:
        targets = diagnosis_targets(config, system, os.environ)
    except FirecrestError as error:
        found, code = [(None, without_settings(error))], Exit.FAILED
    else:
        with Console(stderr=True, highlight=False).status("") as status:
            found = [
                (
                    target,
                    diagnose(
                        target,
                        checks_of(target, transfer=transfer, job=job),
                        timeout=timeout,
                        notify=lambda name: status.update(escape(f"checking: {name}")),
                    ),
                )
                for target in targets
            ]
        failed = any(finding.status is Status.RED for _, findings in found for _, finding in findings)
        code = Exit.INCOMPLETE if failed else Exit.DONE
    if as_json:
        systems = [_as_data(target, findings) for target, findings in found]
        typer.echo(json.dumps({"healthy": code == 0, "systems": systems}, indent=2))
    else:
        _show(found)
    if code:
        raise typer.Exit(code)


def _show(found: Sequence[tuple[DiagnosisTarget | None, Sequence[tuple[str, Finding]]]]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    for number, (target, findings) in enumerate(found):
        if number:
            console.print()
        if target is not None and any(target.partitions):
            console.print(escape(", ".join(target.partitions)), style="bold")
        console.print(render(findings))


def _as_data(target: DiagnosisTarget | None, findings: Sequence[tuple[str, Finding]]) -> dict[str, Any]:
    return {
        "url": str(target.settings.url) if target else None,
        "system": target.settings.system if target else None,
        "partitions": [name for name in target.partitions if name] if target else [],
        "checks": [{"check": name, **asdict(finding)} for name, finding in findings],
    }
