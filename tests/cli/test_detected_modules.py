"""Output of `detect` about modules."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from reframe_firecrest.cli.detected_modules import modules_as_data, save_modules
from reframe_firecrest.commands.detect.modules_jobs import ModulesResult, ModulesTarget
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.modules.snapshot_file import read_snapshots
from tests.gateway.helpers import make_settings
from tests.modules.samples import GNU


def target(file: Path) -> ModulesTarget:
    return ModulesTarget(Target("daint", "cpu", (), make_settings(), file.parent), "gnu", file)


def saved(*results: ModulesResult) -> tuple[list[str], str]:
    console = Console(file=StringIO(), width=300, color_system=None)
    reasons = save_modules(results, [each.target for each in results], console)
    return reasons, console.file.getvalue()  # type: ignore[attr-defined]


def test_what_is_found_is_written_and_printed(tmp_path: Path) -> None:
    wanted = target(tmp_path / "daint.modules.json")
    result = ModulesResult(wanted, GNU)
    reasons, printed = saved(result)
    assert reasons == [""]
    assert printed == f"found daint:cpu+gnu: 7 modules of lmod 8.6.19 -> {wanted.file}\n"
    assert read_snapshots(wanted.file) == [GNU]
    assert modules_as_data(result, "") == {
        "partition": "daint:cpu",
        "environ": "gnu",
        "file": str(wanted.file),
        "modules_system": "lmod",
        "available": 7,
        "reason": None,
    }


@pytest.mark.parametrize(
    ("absent", "printed"),
    [(False, "missing modules of daint:cpu+gnu: no\\x1b\n"), (True, "no modules daint:cpu+gnu: no\\x1b\n")],
)
def test_what_is_missing_is_named_and_is_a_failure_only_if_it_was_expected(
    absent: bool, printed: str, tmp_path: Path
) -> None:
    result = ModulesResult(target(tmp_path / "f"), reason="no\x1b", absent=absent)
    assert saved(result) == (["" if absent else "no\x1b"], printed)
    data = modules_as_data(result, "" if absent else "no\x1b")
    assert (data["file"], data["reason"]) == (None, "no\x1b")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = ModulesResult(target(tmp_path / "file/daint.modules.json"), replace(GNU))
    [reason], printed = saved(result)
    assert "can't be written" in reason
    assert printed.startswith("missing modules of daint:cpu+gnu: ")
