"""Aborted runs with a gateway that does not cancel jobs."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from firecrest_sandbox.fault_injection.faults import FaultKind, FaultRule
from reframe_firecrest.commands.clean import residue
from reframe_firecrest.commands.clean.cleaner import Cleaner
from tests.conftest import SANDBOX_API, GatewayUnderTest
from tests.e2e.conftest import SUITE, Outcome, ReFrame
from tests.e2e.outside import outside
from tests.session.conftest import eventually

pytestmark = pytest.mark.e2e

CANCEL = "DELETE /compute/jobs/{id}" if SANDBOX_API == "v1" else "DELETE /compute/{system}/jobs/{id}"
AT_ONCE = 5.0
"""Seconds: less than the cancels would be waited for, and enough for a loaded machine."""


@contextmanager
def sleepers(sandbox: Sandbox, directory: Path) -> Iterator[tuple[ReFrame, Popen[str]]]:
    """Run three tests that go on for long, and wait until Slurm has them."""
    reframe = ReFrame(directory, GatewayUnderTest("sandbox", sandbox.environment(), api=SANDBOX_API))
    try:
        process = reframe.start([str(SUITE / "sleepers.py")], "-v")
        assert process.stdout is not None
        seen = ""
        while seen.count("[S] job ") < 3:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        yield reframe, process
    finally:
        reframe.close()


def told_to_cancel(outcome: Outcome) -> set[str]:
    """Return the ids in the command that cancels the jobs that may still be there."""
    [(count, ids)] = re.findall(
        r"(\d+) jobs may still be queued or running; cancel them with: scancel ([\d ]+) \(", outcome.output
    )
    assert len(ids.split()) == int(count)
    return set(ids.split())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_jobs_that_can_not_be_cancelled_are_named_with_the_command_that_does(
    how: signal.Signals, tmp_path: Path
) -> None:
    refused = FaultRule(shape=CANCEL, kind=FaultKind.STATUS, status=403, times=1000)
    with Sandbox(SandboxConfig(faults=(refused,), api=SANDBOX_API)) as sandbox:
        with sleepers(sandbox, tmp_path) as (reframe, process):
            os.kill(process.pid, how)
            outcome = reframe.finish(process, timeout=30)
        assert [case["result"] for case in outcome.cases().values()] == ["abort"] * 3
        assert told_to_cancel(outcome) == {case["jobid"] for case in outcome.cases().values()}
        assert "Traceback" not in outcome.output.partition("ABORT")[2]


@pytest.mark.parametrize(
    ("first", "while_reporting"),
    [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)],
)
def test_a_second_ctrl_c_ends_it_at_once_and_what_is_left_can_be_cleaned_up(
    *, first: signal.Signals, while_reporting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residue, "SETTLED", 0.5)
    unanswered = FaultRule(shape=CANCEL, kind=FaultKind.IGNORE, times=1000)
    with Sandbox(SandboxConfig(faults=(unanswered,), api=SANDBOX_API)) as sandbox:
        with sleepers(sandbox, tmp_path) as (reframe, process):
            os.kill(process.pid, first)
            if while_reporting:
                eventually(lambda: sandbox.stats().faults, "cancel")
            else:
                wait_for_line(process, "Log file(s) saved")
                # ReFrame has had it ignored since SIGTERM.
                eventually(lambda: not ignores_interrupts(process.pid))
            begun = time.monotonic()
            os.kill(process.pid, signal.SIGINT)
            process.wait(30)
            assert time.monotonic() - begun < AT_ONCE
            if while_reporting:
                # What ReFrame was just writing may be half there.
                (tmp_path / "report.json").unlink(missing_ok=True)
            outcome = reframe.finish(process, timeout=30)
        jobs = {"1", "2", "3"}
        assert told_to_cancel(outcome) == jobs
        if not while_reporting:
            assert [case["result"] for case in outcome.cases().values()] == ["abort"] * 3
        sandbox.faults.clear()
        gateway = GatewayUnderTest("sandbox", sandbox.environment(), api=SANDBOX_API)
        with outside(gateway) as system:
            assert set(system.states()) == jobs
            done = Cleaner(tmp_path / ".local/state/reframe-firecrest", gateway.variables).clean_finished()
            assert done.complete
            assert done.residues[0].cancelled == jobs
            assert system.active(done.residues[0].run) == []
            assert system.runs() == set()


def ignores_interrupts(pid: int) -> bool:
    [mask] = re.findall(r"SigIgn:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)


def wait_for_line(process: Popen[str], text: str) -> None:
    assert process.stdout is not None
    while text not in process.stdout.readline():
        assert process.poll() is None
