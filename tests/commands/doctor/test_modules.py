"""Snapshots of modules: their age and size."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from reframe_firecrest.commands.doctor.checklist import checks_of
from reframe_firecrest.commands.doctor.context import CheckContext, DiagnosisTarget
from reframe_firecrest.commands.doctor.findings import Finding, Status
from reframe_firecrest.commands.doctor.modules import check_modules
from reframe_firecrest.modules.snapshot_file import write_snapshots
from tests.commands.doctor.cases import Patient
from tests.gateway.helpers import make_settings, run
from tests.modules.samples import SNAPSHOTS


def check(directory: Path, **settings: object) -> Finding:
    context = Patient(directory).context()
    partitions = {"daint:cpu": (), "daint:gpu": (), "other:cpu": ()}
    target = DiagnosisTarget(make_settings(**settings), partitions, directory / "mine.py")
    return run(check_modules(CheckContext(target, context.connection, 5)))


def write(directory: Path, age: timedelta = timedelta(hours=3)) -> Path:
    taken = datetime.now(timezone.utc) - age
    file = directory / "daint.modules.json"
    write_snapshots(file, "daint", [replace(each, taken=taken) for each in SNAPSHOTS])
    return file


def test_age_and_size_are_shown(tmp_path: Path) -> None:
    size = write(tmp_path).stat().st_size / 1000
    found = check(tmp_path)
    assert found.status is Status.GREEN
    assert found.detail == f"daint.modules.json: 3 snapshots, 8 modules, {size:.1f} kB, 3 h old"


def test_an_old_snapshot_is_a_warning_with_the_command(tmp_path: Path) -> None:
    write(tmp_path, timedelta(days=31))
    other = tmp_path / "other"
    other.mkdir()
    found = check(tmp_path)
    assert found.detail.endswith("31 d old")
    assert found.status is Status.YELLOW
    assert found.remedy == f"run: reframe-firecrest detect --config {tmp_path}/mine.py --modules"
    assert check(other, modules_dir=str(tmp_path), modules_max_age=3e6).status is Status.GREEN


def test_a_damaged_snapshot_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "daint.modules.json").write_text("{")
    found = check(tmp_path)
    assert found.status is Status.YELLOW
    assert "not a valid snapshot" in found.detail


def test_without_a_snapshot_it_is_skipped_with_the_command(tmp_path: Path) -> None:
    found = check(tmp_path)
    assert found.status is Status.SKIPPED
    assert "reframe-firecrest detect --config" in found.detail


@pytest.mark.parametrize("config", [None, Path("mine.py")])
def test_it_is_made_for_configurations_only(config: Path | None) -> None:
    target = DiagnosisTarget(make_settings(), {"": ()}, config)
    names = [each.name for each in checks_of(target, transfer=False, job=False)]
    assert ("modules" in names) is (config is not None)
