"""Check of the snapshots of modules, which are on this machine."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from reframe_firecrest.commands.doctor.context import CheckContext
from reframe_firecrest.commands.doctor.findings import Finding, green, skipped, yellow
from reframe_firecrest.model.errors import ModulesError
from reframe_firecrest.model.units import format_count, format_duration, format_size
from reframe_firecrest.modules.location import snapshot_directory
from reframe_firecrest.modules.snapshot_file import read_snapshots, size_of, snapshot_file


async def check_modules(context: CheckContext) -> Finding:
    """Report age and size of the snapshots of the target's systems in ReFrame."""
    target = context.target
    directory = target.settings.modules_dir or snapshot_directory((), {}, target.config)
    systems = dict.fromkeys(name.partition(":")[0] for name in target.partitions)
    files = [snapshot_file(directory, system) for system in systems]
    command = f"run: reframe-firecrest detect --config {target.config} --modules"
    try:
        reports = [_report(file) for file in files if file.exists()]
    except ModulesError as error:
        return yellow(str(error), command)
    if not reports:
        return skipped(f"no snapshot; if tests ask for modules, {command}")
    detail = "; ".join(text for _, text in reports)
    if max(age for age, _ in reports) > target.settings.modules_max_age:
        return yellow(detail, command)
    return green(detail)


def _report(file: Path) -> tuple[float, str]:
    """Return the age of a file's oldest snapshot in seconds, and a description of the file."""
    snapshots = read_snapshots(file)
    if not snapshots:
        return 0.0, f"{file.name}: no snapshots"
    age = (datetime.now(timezone.utc) - min(each.taken for each in snapshots)).total_seconds()
    modules = len({name for each in snapshots for name in each.after.available})
    return age, (
        f"{file.name}: {format_count(len(snapshots), 'snapshot')}, {format_count(modules, 'module')}, "
        f"{format_size(size_of(file))}, {format_duration(max(age, 0.0))} old"
    )
