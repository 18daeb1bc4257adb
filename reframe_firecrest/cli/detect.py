"""`reframe-firecrest detect`: write a first configuration and processor information for ReFrame."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from reframe_firecrest.cli.detected_modules import modules_as_data, save_modules
from reframe_firecrest.cli.exit_codes import Exit, fail
from reframe_firecrest.commands.detect.configuration import configuration
from reframe_firecrest.commands.detect.detection import run_detection
from reframe_firecrest.commands.detect.jobs import DetectionResult, write_processor
from reframe_firecrest.commands.detect.modules_jobs import ModulesResult
from reframe_firecrest.commands.detect.modules_targets import modules_targets, modules_targets_of_survey
from reframe_firecrest.commands.detect.survey import (
    DEFAULT_TOPOLOGY_PREFIX,
    Survey,
    survey_system,
    targets_of_survey,
)
from reframe_firecrest.commands.targets import Target, targets_of_file
from reframe_firecrest.model.atomic import atomic_write
from reframe_firecrest.model.errors import FirecrestError, one_line
from reframe_firecrest.settings import read_settings


def detect(
    *,
    output: Annotated[
        Path | None,
        typer.Option(help="Output file of the configuration; standard output by default."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Existing ReFrame configuration: write only processor information and modules, for its "
            "partitions that use firecrest-scheduler."
        ),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(help="Detect only this system of --config, by its name in ReFrame."),
    ] = None,
    processors: Annotated[
        bool,
        typer.Option(
            "--processors/--no-processors",
            help="Submit one small job to each partition to detect its processors.",
        ),
    ] = True,
    modules: Annotated[
        bool | None,
        typer.Option(
            "--modules/--no-modules",
            help="Submit one small job for each partition and environment to record the available modules; "
            "the default, unless --no-processors is given.",
        ),
    ] = None,
    topology_prefix: Annotated[
        Path | None,
        typer.Option(
            help="Directory for processor information; by default ReFrame's: ~/.reframe/topology, or as set "
            "in the file of --config."
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds that a job may wait in the queue before it is cancelled.")
    ] = 600.0,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the results as one JSON object; requires --output or --config."),
    ] = False,
) -> None:
    """Write a ReFrame configuration for a system behind FirecREST, and detect its processors and modules.

    Set the FIRECREST_* variables first (see the README). For a system
    without a ReFrame configuration:

        reframe-firecrest detect --output mysite.py

    The configuration has one ReFrame partition for each Slurm partition, or
    for each kind of nodes in it if their features differ. Read it and edit
    the lines marked with EDIT; it contains no secret. For a system with a
    configuration:

        reframe-firecrest detect --config mysite.py

    Each job uses one node and needs no internet access and no Python. From
    its output the command writes a processor.json for each partition, which
    replaces ReFrame's own remote detection, and a file with the modules of
    each system, which answers tests that ask for modules. For new modules:

        reframe-firecrest detect --config mysite.py --no-processors --modules
    """
    wants_modules = processors if modules is None else modules
    if config is not None and (output is not None or force or not (processors or wants_modules)):
        fail(
            "detect",
            "--config excludes --output and --force, and --no-processors without --modules: it writes only "
            "processor information and modules",
        )
    if system is not None and config is None:
        fail("detect", "--system requires --config; without it, FIRECREST_SYSTEM names the system")
    if as_json and config is None and output is None:
        fail("detect", "--json requires --output or --config, because the configuration is printed otherwise")
    # Treat SIGTERM, which ends a pipeline's job, like Ctrl-C: leave no job in the queue.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    prefix = None if topology_prefix is None else topology_prefix.expanduser().absolute()
    survey: Survey | None = None
    try:
        if config is not None:
            targets = targets_of_file(config, os.environ, prefix, system)
            environs = modules_targets(config, targets) if wants_modules else []
            if modules and not environs:
                fail(
                    "detect",
                    f"no system in {config} has modules; set 'modules_system', for example to 'lmod'",
                )
        else:
            survey, targets = _write_configuration(output, prefix, console, force=force)
            environs = modules_targets_of_survey(targets, output) if wants_modules else []
        found = run_detection(
            targets if processors else [],
            environs,
            timeout=timeout,
            notify=lambda text: console.print(_shown(text)),
        )
    except FirecrestError as error:
        fail("detect", str(error))
    reasons = [_save(outcome, console) for outcome in found.processors]
    missing = save_modules(found.modules, environs, console)
    if survey is not None and output is not None:
        _name_modules_system(found.modules, survey, prefix, output)
    complete = not any(reasons) and not any(missing)
    if as_json:
        partitions = [_as_data(*entry) for entry in zip(found.processors, reasons, strict=True)]
        data = {
            "complete": complete,
            "output": output and str(output),
            "partitions": partitions,
            "modules": [modules_as_data(*entry) for entry in zip(found.modules, missing, strict=True)],
        }
        typer.echo(json.dumps(data, indent=2))
    if not complete:
        raise typer.Exit(Exit.INCOMPLETE)


def _write_configuration(
    output: Path | None, prefix: Path | None, console: Console, *, force: bool
) -> tuple[Survey, list[Target]]:
    if output is not None and output.exists() and not force:
        fail("detect", f"{output} exists; name another file, or overwrite it with --force")
    settings = read_settings([], os.environ)
    survey = survey_system(settings)
    text = configuration(survey, prefix)
    if output is None:
        typer.echo(text, nl=False)
    else:
        _write(output, text)
        console.print(f"[green]written[/] {escape(str(output))}: {_count(len(survey.groups))}")
    return survey, targets_of_survey(survey, settings, prefix or DEFAULT_TOPOLOGY_PREFIX.expanduser())


def _name_modules_system(
    results: Sequence[ModulesResult], survey: Survey, prefix: Path | None, output: Path
) -> None:
    """Write the configuration again with the modules system that the jobs have found."""
    kinds = {result.snapshot.kind for result in results if result.snapshot is not None}
    if len(kinds) == 1:
        _write(output, configuration(survey, prefix, kinds.pop()))


def _write(output: Path, text: str) -> None:
    try:
        atomic_write(output, text)
    except OSError as error:
        fail("detect", f"{output} can't be written: {error.strerror}")


def _count(partitions: int) -> str:
    return "1 partition" if partitions == 1 else f"{partitions} partitions"


def _save(outcome: DetectionResult, console: Console) -> str:
    """Write and print the result for a partition; return why it is missing, an empty text if it is not."""
    name = escape(outcome.target.name)
    reason = outcome.reason
    if outcome.processor is not None:
        try:
            write_processor(outcome)
        except OSError as error:
            reason = f"{outcome.target.file} can't be written: {error.strerror}"
        else:
            file = escape(str(outcome.target.file))
            console.print(f"[green]found[/] {name}: {_shown(_summary(outcome.processor))} -> {file}")
            return ""
    console.print(f"[red]missing[/] {name}: {_shown(reason)}")
    return reason


def _shown(text: str) -> str:
    """Escape a text for a terminal."""
    return escape(one_line(text))


def _as_data(outcome: DetectionResult, reason: str) -> Mapping[str, Any]:
    return {
        "partition": outcome.target.name,
        "file": None if reason else str(outcome.target.file),
        "processor": None if reason else outcome.processor,
        "reason": reason or None,
    }


def _summary(processor: Mapping[str, Any]) -> str:
    cores = len(processor["topology"]["cores"])
    return (
        f"{processor['model']} ({processor['arch']}), sockets: {processor['num_sockets']}, "
        f"cores: {cores}, CPUs: {processor['num_cpus']}"
    )
