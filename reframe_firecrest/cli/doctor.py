"""`reframe-firecrest doctor`: check whether tests can run on a system."""

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
from reframe_firecrest.commands.doctor.setting_values import explicit_values, setting_values
from reframe_firecrest.commands.doctor.table import render
from reframe_firecrest.commands.doctor.targets import diagnosis_targets
from reframe_firecrest.model.errors import FirecrestError

WIDTH = 160
"""Columns of the output if it does not go to a terminal."""


def doctor(
    *,
    config: Annotated[
        Path | None,
        typer.Option(help="ReFrame configuration; checks its partitions that use firecrest-scheduler."),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(
            help="Check only this system or partition of the configuration.", metavar="NAME[:PARTITION]"
        ),
    ] = None,
    transfer: Annotated[
        bool,
        typer.Option(
            "--transfer", help="Transfer a large file in both directions by S3, which queues two jobs."
        ),
    ] = False,
    job: Annotated[bool, typer.Option("--job", help="Submit a small job to each partition.")] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds to wait for each job of --transfer and --job.")
    ] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check whether tests can run on a system; if not, explain what to do.

    Set the FIRECREST_* variables first (see the README), or give a ReFrame
    configuration with the settings:

        reframe-firecrest doctor
        reframe-firecrest doctor --config mysite.py --system mysite

    The output has one line for each check: ok; WARN, if tests can run but
    something should be changed; FAIL, with what to do; skip, if an earlier
    check failed or the gateway gives no information. Below `settings`, each
    setting that is not a default has its value and its origin. The command
    writes a small file below the base directory and removes it. It submits
    no job unless you ask for it:

        reframe-firecrest doctor --transfer --job
    """
    if system is not None and config is None:
        fail("doctor", "--system requires --config; without it, set FIRECREST_SYSTEM")
    # Treat SIGTERM, which ends a pipeline's job, like Ctrl-C: leave no job in the queue.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results: list[tuple[DiagnosisTarget | None, list[tuple[str, Finding]]]]
    try:
        targets = diagnosis_targets(config, system, os.environ)
    except FirecrestError as error:
        results, code = [(None, without_settings(error))], Exit.FAILED
    else:
        with Console(stderr=True, highlight=False).status("") as status:
            results = [
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
        failed = any(finding.status is Status.RED for _, findings in results for _, finding in findings)
        code = Exit.INCOMPLETE if failed else Exit.DONE
    if as_json:
        systems = [_as_data(target, findings) for target, findings in results]
        typer.echo(json.dumps({"healthy": code == 0, "systems": systems}, indent=2))
    else:
        _show(results)
    if code:
        raise typer.Exit(code)


def _show(results: Sequence[tuple[DiagnosisTarget | None, Sequence[tuple[str, Finding]]]]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    for number, (target, findings) in enumerate(results):
        if number:
            console.print()
        if target is not None and any(target.partitions):
            console.print(escape(", ".join(target.partitions)), style="bold")
        console.print(render(findings, explicit_values(target) if target else ()))


def _as_data(target: DiagnosisTarget | None, findings: Sequence[tuple[str, Finding]]) -> dict[str, Any]:
    return {
        "url": str(target.settings.url) if target else None,
        "system": target.settings.system if target else None,
        "partitions": [name for name in target.partitions if name] if target else [],
        "settings": [asdict(value) for value in setting_values(target)] if target else [],
        "checks": [{"check": name, **asdict(finding)} for name, finding in findings],
    }
