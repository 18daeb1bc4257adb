"""`reframe-firecrest clean`: removes what runs have left on a system."""

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
from reframe_firecrest.commands.clean.residue import RemoteResidue
from reframe_firecrest.commands.clean.result import Outcome
from reframe_firecrest.model.errors import FirecrestError
from reframe_firecrest.settings import journal_directory


def clean(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run's name, or enough of its beginning.", metavar="RUN", autocompletion=run_names
        ),
    ] = None,
    *,
    all_runs: Annotated[bool, typer.Option("--all", help="All runs that do not go on.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(help="All runs that began that long ago and do not go on.", metavar="90m|12h|3d|2w"),
    ] = None,
    remote: Annotated[
        bool,
        typer.Option(
            "--remote",
            help="With --older-than: also runs of which there is no journal here; FIRECREST_SYSTEM is asked.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help="Delete the journals of runs of which nothing is left; that of RUN even if its gateway "
            "can't be used.",
        ),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="With --forget: send no request, only delete the journals, and print what may be left.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With RUN: clean up even if it is not known whether it is alive.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Remove what runs have left on a system: their jobs and their directories.

    A run that was killed leaves jobs in the queue and its directory on the
    system; a run that ended by itself leaves the stage directories of failed
    tests. For one of them, as `reframe-firecrest status` names it:

        reframe-firecrest clean 20260131-020000-login1-1f3a5c

    For all that are over, or for those that began long ago:

        reframe-firecrest clean --all
        reframe-firecrest clean --older-than 3d

    All jobs below the run's directory are cancelled, then the directory is
    removed. A run is left alone unless it is proven dead. Runs are known from
    their journals, in FIRECREST_JOURNAL_DIR or
    ~/.local/state/reframe-firecrest, which also tell the gateway and the
    system; the FIRECREST_* variables tell who you are. Where the journals are
    gone with the runner's disk, runs are known from their directories and jobs
    on the system, and their names tell how old they are. Nothing shows whether
    such a run is alive, so choose more than your longest run takes:

        reframe-firecrest clean --remote --older-than 3d

    A gateway may be gone for good. Then delete the journal of its run:

        reframe-firecrest clean 20260131-020000-login1-1f3a5c --forget
    """
    _refuse_contradictions(run, older_than, all_runs=all_runs, remote=remote)
    if offline and (remote or not forget):
        fail("clean", "--offline goes with --forget, and not with --remote")
    if force and run is None:
        fail("clean", "--force goes with RUN")
    # A pipeline that is stopped gets what Ctrl-C gets.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        age = 0.0 if older_than is None else parse_duration(older_than)
    except ValueError as error:
        fail("clean", f"--older-than: {error}")
    cleaner = Cleaner(
        journal_directory(os.environ),
        os.environ,
        dry_run=dry_run,
        forget=forget,
        offline=offline,
        force=force,
    )
    try:
        if run is not None:
            outcome = cleaner.named(run)
        else:
            outcome = cleaner.remote(age) if remote else cleaner.over(age)
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
        fail("clean", "--remote goes with --older-than, and with neither RUN nor --all")
    if (run is not None) + (older_than is not None) + all_runs != 1:
        fail("clean", "say what to clean up: RUN, --all or --older-than, and only one of them")


def _print_result(outcome: Outcome, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for name, why in outcome.skipped:
        typer.echo(f"{name}: left alone, {why}")
    for residue in outcome.residues:
        system = residue.settings.system
        gone = residue.cancelled - residue.left.keys()
        if gone:
            typer.echo(f"{residue.run}: {would}cancelled on {system!r}: {' '.join(_in_order(gone))}")
        if residue.removed:
            typer.echo(f"{residue.run}: {would}removed on {system!r}: {residue.root}")
        elif dry_run and not residue.problems:
            typer.echo(f"{residue.run}: there is nothing of it on {system!r}")
        for job_id in _in_order(residue.left):
            typer.echo(
                f"{residue.run}: job {job_id} may still be there; remove it with: scancel {job_id} "
                f"({residue.left[job_id]})",
                err=True,
            )
        for problem in residue.problems:
            typer.echo(f"{residue.run}: {problem}", err=True)
    for name, why in outcome.refused:
        typer.echo(f"{name}: {why}", err=True)
    if outcome.forgotten:
        typer.echo(f"journals deleted of {len(outcome.forgotten)} runs of which nothing is left")
    for name in outcome.empty:
        typer.echo(
            f"{name}: it never created anything; its journal {'would be' if dry_run else 'is'} deleted"
        )
    for name, left in outcome.dropped:
        typer.echo(
            f"{name}: its journal {'would be' if dry_run else 'is'} deleted, nothing was cleaned up; "
            f"may be left: {left}"
        )
    if not any((outcome.residues, outcome.refused, outcome.forgotten, outcome.empty, outcome.dropped)):
        typer.echo("nothing to clean up")


def _in_order(job_ids: Iterable[str]) -> list[str]:
    return sorted(job_ids, key=lambda job_id: (len(job_id), job_id))


def _as_data(outcome: Outcome, *, dry_run: bool) -> Mapping[str, Any]:
    return {
        "dry_run": dry_run,
        "complete": outcome.complete,
        "runs": [_residue_as_data(residue) for residue in outcome.residues],
        "skipped": [{"run": name, "reason": why} for name, why in outcome.skipped],
        "refused": [{"run": name, "reason": why} for name, why in outcome.refused],
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
