"""Whole suites through the gateway: what passes must pass, what fails must say why."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT, GatewayUnderTest
from tests.e2e.conftest import SUITE, Outcome, ReFrame
from tests.e2e.outside import outside

pytestmark = pytest.mark.e2e

ABORTED = 15.0
"""Seconds from an abort until every job is cancelled."""


def passed(outcome: Outcome) -> list[str]:
    return sorted(name for name, case in outcome.cases().items() if case["result"] == "pass")


def test_the_sample_checks_pass_without_a_slurm_command_here(reframe: ReFrame) -> None:
    outcome = reframe.run([str(PROJECT / "checks")], "-R")
    assert outcome.code == 0, outcome.output
    assert "PASSED" in outcome.output
    assert len(passed(outcome)) == 11
    assert outcome.orphaned_jobs == []
    nodes = outcome.cases()["HelloNodes"]["job_nodelist"]
    assert len(set(nodes)) == 2


@pytest.mark.parametrize("policy", ["async", "serial"])
def test_everything_survives_the_way_there_and_back(reframe: ReFrame, policy: str) -> None:
    outcome = reframe.run([str(SUITE / "travel.py")], f"--exec-policy={policy}")
    assert passed(outcome) == ["Travel"], outcome.output


def test_a_second_run_sees_nothing_of_the_first(reframe: ReFrame) -> None:
    for _ in range(2):
        # "made" would be there already, and its link in the way, if the directory were the same.
        outcome = reframe.run([str(SUITE / "travel.py")], "--keep-stage-files")
        assert passed(outcome) == ["Travel"], outcome.output


def test_what_fails_reports_why_and_fails_alone(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "verdicts.py")])
    assert outcome.code == 1
    cases = outcome.cases()
    assert passed(outcome) == ["Good"], outcome.output
    assert cases["WrongOutput"]["fail_phase"] == "sanity"
    assert cases["NonZeroExit"]["job_exitcode"] == 3
    assert "nvalid partition" in cases["NoSuchPartition"]["fail_reason"]
    assert "build job failed with exit code" in cases["DoesNotCompile"]["fail_reason"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_abort_cancels_every_job_and_writes_the_report(
    reframe: ReFrame, gateway: GatewayUnderTest, how: signal.Signals
) -> None:
    process = reframe.start([str(SUITE / "sleepers.py")], "-v")
    assert process.stdout is not None
    seen = ""
    while seen.count("[S] job ") < 3:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    begun = time.monotonic()
    os.kill(process.pid, how)
    outcome = reframe.finish(process, timeout=60)
    assert outcome.code == 1
    assert [case["result"] for case in outcome.cases().values()] == ["abort"] * 3
    ids = {case["jobid"] for case in outcome.cases().values()}
    with outside(gateway) as system:
        system.wait_for_states(ids, "CANCELLED", begun + ABORTED - time.monotonic())


# --- wrong settings ---------------------------------------------------------------------------------

ONE_LINE = {
    "secret": ({"FIRECREST_CLIENT_SECRET": "wrong-secret-value"}, "FIRECREST_CLIENT_SECRET"),
    "system": ({"FIRECREST_SYSTEM": "nosuch"}, "check FIRECREST_SYSTEM"),
    "basedir": ({"FIRECREST_BASEDIR": "/proc/1/nowhere"}, "check FIRECREST_BASEDIR"),
    "gateway": ({"FIRECREST_URL": "http://127.0.0.1:9"}, "check FIRECREST_URL"),
    "idp": ({"AUTH_TOKEN_URL": "http://127.0.0.1:9/token"}, "check AUTH_TOKEN_URL"),
    "missing": ({"FIRECREST_CLIENT_ID": ""}, "export FIRECREST_CLIENT_ID"),
}


@pytest.mark.parametrize("what", ONE_LINE)
def test_what_is_wrong_is_reported_in_one_line_and_soon(reframe: ReFrame, what: str, tmp_path: Path) -> None:
    environment, expected = ONE_LINE[what]
    outcome = reframe.run([str(SUITE / "travel.py")], environment=environment, timeout=15)
    assert outcome.code != 0
    lines = [line for line in outcome.output.splitlines() if expected in line]
    assert lines, outcome.output
    assert "Traceback" not in outcome.output
    assert "wrong-secret-value" not in outcome.output
    for log in tmp_path.rglob("*"):
        if log.is_file() and log.suffix in (".log", ".json", ".sh"):
            assert "wrong-secret-value" not in log.read_text(errors="replace")
