"""`reframe-firecrest clean`: remove what runs have left on a system."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from reframe_firecrest.cli.completion import run_names
from reframe_firecrest.cli.exit_codes import Exit, fail
from reframe_firecrest.commands.clean.cleaner import Cleaner
from reframe_firecrest.commands.clean.duration import parse_duration
from reframe_firecrest.commands.clean.model import CleanOptions, Outcome
from reframe_firecrest.commands.clean.residue import RemoteResidue
from reframe_firecrest.model.errors import FirecrestError
from reframe_firecrest.settings import journal_directory


def clean(
    run: Annotated[
        str | None,
        typer.Argument(
            help="Name of a run, or a unique beginning of it.", metavar="RUN", autocompletion=run_names
        ),
    ] = None,
    *,
    all_runs: Annotated[
        bool, typer.Option("--all", help="Clean up after all runs that are not running.")
    ] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            help="Clean up after all runs that began at least that long ago and are not running.",
            metavar="90m|12h|3d|2w",
        ),
    ] = None,
    remote: Annotated[
        bool,
        typer.Option(
            "--remote",
            help="With --older-than: include runs without a journal here, by their directories and jobs on "
            "FIRECREST_SYSTEM.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and change nothing.")
    ] = False,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help="Delete the journals of runs that have left nothing; with RUN, even if its gateway can't be "
            "used.",
        ),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="With --forget: send no request; delete journals and print what may be left.",
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="With RUN: clean up even if it is not known whether the run is still running."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Remove the jobs and directories that runs have left on a system.

    A run that was killed leaves its jobs in the queue and its directory on
    the system. A run that ended normally leaves the stage directories of
    failed tests. To clean up after one run, name it as in the output of
    `reframe-firecrest status`:

        reframe-firecrest clean 20260131-020000-login1-1f3a5c

    To clean up after all runs that are over, or those that are old:

        reframe-firecrest clean --all
        reframe-firecrest clean --older-than 3d

    The command cancels all jobs that work below the run's directory, then
    removes the directory. It does not touch a run that is running or may
    be. It finds runs, their gateways and their systems in the journals in
    FIRECREST_JOURNAL_DIR or ~/.local/state/reframe-firecrest; your
    credentials come from the FIRECREST_* variables.

    If the journals no longer exist, for example in CI, --remote finds runs
    by their directories and jobs on the system. It can't check whether such
    a run is running, so choose an age that is longer than your longest run:

        reframe-firecrest clean --remote --older-than 3d

    If a gateway no longer exists, delete the journal of the run:

        reframe-firecrest clean 20260131-020000-login1-1f3a5c --forget
    """
    _refuse_contradictions(run, older_than, all_runs=all_runs, remote=remote)
    if offline and (remote or not forget):
        fail("clean", "--offline requires --forget and excludes --remote")
    if force and run is None:
        fail("clean", "--force requires RUN")
    # Treat SIGTERM, which ends a pipeline's job, like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        age = 0.0 if older_than is None else parse_duration(older_than)
    except ValueError as error:
        fail("clean", f"--older-than: {error}")
    options = CleanOptions(dry_run=dry_run, forget=forget, offline=offline, force=force)
    cleaner = Cleaner(journal_directory(os.environ), os.environ, options)
    try:
        if run is not None:
            outcome = cleaner.clean_run(run)
        else:
            outcome = cleaner.clean_remote(age) if remote else cleaner.clean_finished(age)
    except FirecrestError as error:
        fail("clean", str(error))
    if as_json:
        typer.echo(json.dumps(_as_data(outcome, dry_run=dry_run), indent=2))
    else:
        _print_result(outcome, dry_run=dry_run)
    if not outcome.complete:
        raise typer.Exit(Exit.INCOMPLETE)


def _refuse_contradictions(run: str | None, older_than: str | None, *, all_runs: bool, remote: bool) -> None:
    if remote and (older_than is None or run is not None or all_runs):
        fail("clean", "--remote requires --older-than and excludes RUN and --all")
    if (run is not None) + (older_than is not None) + all_runs != 1:
        fail("clean", "give exactly one of RUN, --all and --older-than")


def _print_result(outcome: Outcome, *, dry_run: bool) -> None:
    for name, reason in outcome.skipped:
        typer.echo(f"{name}: skipped: {reason}")
    for residue in outcome.residues:
        _print_residue(residue, dry_run=dry_run)
    for name, reason in outcome.refused:
        typer.echo(f"{name}: {reason}", err=True)
    _print_deleted_journals(outcome, dry_run=dry_run)
    if not any((outcome.residues, outcome.refused, outcome.forgotten, outcome.empty, outcome.dropped)):
        typer.echo("nothing to clean up")


def _print_residue(residue: RemoteResidue, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    system = residue.settings.system
    cancelled = residue.cancelled - residue.left.keys()
    if cancelled:
        typer.echo(f"{residue.run}: {would}cancelled on {system!r}: {' '.join(_in_order(cancelled))}")
    if residue.removed:
        typer.echo(f"{residue.run}: {would}removed on {system!r}: {residue.root}")
    elif dry_run and not residue.problems:
        typer.echo(f"{residue.run}: nothing left on {system!r}")
    for job_id in _in_order(residue.left):
        typer.echo(
            f"{residue.run}: job {job_id} may still be queued or running; cancel it with: scancel {job_id} "
            f"({residue.left[job_id]})",
            err=True,
        )
    for problem in residue.problems:
        typer.echo(f"{residue.run}: {problem}", err=True)


def _print_deleted_journals(outcome: Outcome, *, dry_run: bool) -> None:
    deleted = "would be deleted" if dry_run else "was deleted"
    if outcome.forgotten:
        count = len(outcome.forgotten)
        runs = "the journal of 1 run that has" if count == 1 else f"the journals of {count} runs that have"
        typer.echo(f"deleted {runs} left nothing")
    for name in outcome.empty:
        typer.echo(f"{name}: it never created anything; its journal {deleted}")
    for name, left in outcome.dropped:
        typer.echo(f"{name}: its journal {deleted}, nothing was cleaned up; may be left: {left}")


def _in_order(job_ids: Iterable[str]) -> list[str]:
    return sorted(job_ids, key=lambda job_id: (len(job_id), job_id))


def _as_data(outcome: Outcome, *, dry_run: bool) -> Mapping[str, Any]:
    return {
        "dry_run": dry_run,
        "complete": outcome.complete,
        "runs": [_residue_as_data(residue) for residue in outcome.residues],
        "skipped": [{"run": name, "reason": reason} for name, reason in outcome.skipped],
        "refused": [{"run": name, "reason": reason} for name, reason in outcome.refused],
        "journals_deleted": outcome.forgotten,
        "never_created": outcome.empty,
        "dropped": [{"run": name, "may_be_left": left} for name, left in outcome.dropped],
    }


def _residue_as_data(residue: RemoteResidue) -> Mapping[str, Any]:
    return {
        "run": residue.run,
        "url": str(residue.settings.url),
        "system": residue.settings.system,
        "directory": residue.root,
        "cancelled": _in_order(residue.cancelled - residue.left.keys()),
        "left": [{"job": job_id, "reason": residue.left[job_id]} for job_id in _in_order(residue.left)],
        "removed": residue.removed,
        "problems": residue.problems,
    }
