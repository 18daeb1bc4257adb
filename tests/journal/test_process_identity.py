"""Processes are known by where they run, their number and when they started."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reframe_firecrest.journal import process_identity
from reframe_firecrest.journal.process_identity import Process, look_for, own_identity, started_at


def test_this_process_runs() -> None:
    assert look_for(own_identity()) is Process.RUNS


def test_a_process_that_has_ended_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        known = replace(own_identity(), pid=process.pid, started=started_at(process.pid))
        assert look_for(known) is Process.RUNS
        process.kill()
    assert look_for(known) is Process.GONE


def test_a_number_that_was_given_again_is_another_process() -> None:
    assert look_for(replace(own_identity(), started=1)) is Process.GONE


@pytest.mark.parametrize(
    "changed",
    [
        {"boot": "another"},
        {"boot": ""},
        {"namespaces": "pid:[1] time:[2]"},
        {"namespaces": ""},
        {"started": 0},
    ],
)
def test_a_process_that_could_not_be_seen_from_here_is_unknown(changed: dict[str, object]) -> None:
    """Another machine, another container, or a journal that does not say."""
    assert look_for(replace(own_identity(), **changed)) is Process.UNKNOWN  # type: ignore[arg-type]


def test_without_proc_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = own_identity()
    monkeypatch.setattr(process_identity, "_BOOT_ID", tmp_path / "missing")
    assert look_for(known) is Process.UNKNOWN
    assert look_for(replace(known, boot="")) is Process.UNKNOWN


def test_the_start_of_a_process_is_read_behind_a_name_with_blanks_and_parentheses(tmp_path: Path) -> None:
    odd = tmp_path / "a) R (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([str(odd), "60"]) as process:
        # exec takes its time, and the name changes with it.
        assert abs(started_at(process.pid) - started_at(os.getpid())) < 1e9
        assert started_at(process.pid) >= started_at(os.getpid()) > 0
        process.kill()


def test_the_machines_own_id_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_identity, "_MACHINE_ID", tmp_path / "machine-id")
    assert process_identity.machine() == ""
    (tmp_path / "machine-id").write_text("\n")
    assert process_identity.machine() == ""
    (tmp_path / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    assert len(process_identity.machine()) == 16
    assert process_identity.machine() not in "0123456789abcdef0123456789abcdef"
