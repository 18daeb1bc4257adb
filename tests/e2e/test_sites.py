"""Modules, containers, modes, limits, node selection: what sites and their operators use."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import GatewayUnderTest
from tests.e2e.conftest import SUITE, ReFrame
from tests.e2e.test_suites import passed

pytestmark = pytest.mark.e2e

SITE = SUITE / "site.py"
FLEXIBLE = [str(SUITE / "slurm.py")]


def test_modules_containers_and_login_shells_are_the_nodes_affair(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "sites.py")], "-T", "slow|het|cmake", config=SITE)
    expected = ["LoadsModules", "MountsItsStageDirectory", "OnAPlainPartition"]
    assert passed(outcome) == expected, outcome.output
    assert outcome.orphaned_jobs == []


def test_a_mode_chooses_its_options(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "sites.py")], "--mode=quick", config=SITE)
    assert list(outcome.cases()) == ["OnAPlainPartition"], outcome.output
    assert outcome.code == 0


def test_a_time_limit_ends_a_job_truly(reframe: ReFrame, gateway: GatewayUnderTest) -> None:
    if not gateway.embedded:
        pytest.skip("Slurm rounds time limits up to minutes")
    outcome = reframe.run([str(SUITE / "sites.py")], "-n", "TakesTooLong", config=SITE)
    assert passed(outcome) == ["TakesTooLong"], outcome.output


def test_both_parts_of_a_heterogeneous_job_count(reframe: ReFrame, gateway: GatewayUnderTest) -> None:
    if gateway.embedded:
        pytest.skip("the embedded runner knows no heterogeneous jobs")
    outcome = reframe.run([str(SUITE / "sites.py")], "-n", "TwoComponents", config=SITE)
    assert passed(outcome) == ["TwoComponents"], outcome.output


@pytest.mark.skipif(not shutil.which("cmake"), reason="no CMake on this machine, which is the system's too")
def test_cmake_builds_there(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "sites.py")], "-n", "WithCMake", config=SITE)
    assert passed(outcome) == ["WithCMake"], outcome.output


@pytest.mark.parametrize(
    ("state", "at_least"), [("all", 3), ("avail", 1), ("idle", 1), ("idle|alloc*", 1), ("2", 2)]
)
def test_flexible_tests_take_the_nodes_they_are_given(reframe: ReFrame, state: str, at_least: int) -> None:
    outcome = reframe.run(FLEXIBLE, "-n", "^Flexible", f"--flex-alloc-nodes={state}")
    case = outcome.cases()["Flexible"]
    if case["result"] == "skip" and state != "all":
        pytest.skip(f"no node is {state} just now")
    assert case["result"] == "pass", outcome.output
    assert len(case["job_nodelist"]) >= at_least
    assert outcome.orphaned_jobs == []


def test_nodes_are_asked_for_and_left_out_by_name(reframe: ReFrame) -> None:
    outcome = reframe.run(FLEXIBLE, "-n", "^Flexible", "--flex-alloc-nodes=all")
    nodes = sorted(outcome.cases()["Flexible"]["job_nodelist"])
    outcome = reframe.run(FLEXIBLE, "-n", "^Flexible", "--flex-alloc-nodes=all", "-J", f"exclude={nodes[0]}")
    assert sorted(outcome.cases()["Flexible"]["job_nodelist"]) == nodes[1:], outcome.output
    outcome = reframe.run([str(SUITE / "verdicts.py")], "-n", "^Good", "-J", f"nodelist={nodes[-1]}")
    assert outcome.cases()["Good"]["job_nodelist"] == [nodes[-1]], outcome.output


def test_a_reservation_that_does_not_exist_is_reported(reframe: ReFrame) -> None:
    outcome = reframe.run(FLEXIBLE, "-n", "^Flexible", "-J", "reservation=nosuch")
    assert "there is no reservation 'nosuch'" in outcome.output
    assert outcome.code == 1


def test_the_first_failure_ends_the_run_when_asked_to(reframe: ReFrame) -> None:
    suites = [str(SUITE / "sleepers.py"), str(SUITE / "verdicts.py")]
    outcome = reframe.run(suites, "-n", "^(Sleeper|WrongOutput)", "--maxfail=1", timeout=60)
    results = sorted(case["result"] for case in outcome.cases().values())
    assert results == ["abort", "abort", "abort", "fail"], outcome.output


def test_a_session_ends_after_its_time(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "verdicts.py")], "-n", "^Good", "--duration=6s", timeout=120)
    results = [case["result"] for run in outcome.report["runs"] for case in run["testcases"]]
    assert set(results) <= {"pass", "abort"}, outcome.output
    assert "maximum session duration exceeded" in outcome.output


def test_a_stage_directory_that_is_kept_is_sent_as_it_is(reframe: ReFrame, tmp_path: Path) -> None:
    suite = [str(SUITE / "builds.py")]
    first = reframe.run(suite, "-n", "BuiltWithMake", "--keep-stage-files")
    assert passed(first) == ["BuiltWithMake"], first.output
    [stage] = tmp_path.glob("stage/*/*/*/BuiltWithMake")
    (stage / "hello.c").write_text("this is no C")
    # Make finds its goal newer than the source, here as there.
    (stage / "made").touch()
    second = reframe.run(suite, "-n", "BuiltWithMake", "--dont-restage")
    assert passed(second) == ["BuiltWithMake"], second.output
