"""Output of `reframe-firecrest detect` about modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from reframe_firecrest.commands.detect.modules_jobs import ModulesResult, ModulesTarget, write_results
from reframe_firecrest.model.errors import one_line
from reframe_firecrest.model.units import format_count


def save_modules(
    results: Sequence[ModulesResult], defined: Sequence[ModulesTarget], console: Console
) -> list[str]:
    """Write the snapshots and print the results; return why each is missing, an empty text if it is not."""
    unwritable = ""
    try:
        write_results(results, defined)
    except OSError as error:
        unwritable = f"{error.filename} can't be written: {error.strerror}"
    return [_report(result, unwritable, console) for result in results]


def _report(result: ModulesResult, unwritable: str, console: Console) -> str:
    name = escape(result.target.name)
    reason = unwritable if result.snapshot is not None else result.reason
    if result.absent:
        console.print(f"[yellow]no modules[/] {name}: {escape(one_line(reason))}")
        return ""
    if result.snapshot is None or reason:
        console.print(f"[red]missing[/] modules of {name}: {escape(one_line(reason))}")
        return reason
    count = format_count(len(result.snapshot.after.available), "module")
    system = f"{result.snapshot.kind} {result.snapshot.version}".strip()
    console.print(f"[green]found[/] {name}: {count} of {system} -> {escape(str(result.target.file))}")
    return ""


def modules_as_data(result: ModulesResult, reason: str) -> Mapping[str, Any]:
    """Return the result as JSON."""
    snapshot = None if reason else result.snapshot
    return {
        "partition": result.target.target.name,
        "environ": result.target.environ,
        "file": None if snapshot is None else str(result.target.file),
        "modules_system": None if snapshot is None else snapshot.kind,
        "available": None if snapshot is None else len(snapshot.after.available),
        "reason": reason or result.reason or None,
    }
