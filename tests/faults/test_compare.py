"""Nothing that is lost, doubled or false goes unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from firecrest_sandbox.fault_injection.middleware import READ_TO_ITS_END
from tests.faults.compare import BOUND, differences
from tests.faults.running import Outcome, executed, idle, without_token
from tests.faults.soak import Soak, faults_of
from tests.faults.sweep import Verdict, note, survivors

GOOD = Outcome(
    code=1,
    tests={"A": {"result": "pass", "nodes": 1}, "B": {"result": "fail", "nodes": 1}},
    jobs={"rfm_A COMPLETED": 1, "rfm_B FAILED": 1},
    files={"output/A/rfm_job.out": "1f"},
    remote=["A", "A/rfm_job.out"],
    seconds=2.0,
)


def test_equal_runs_do_not_differ() -> None:
    assert differences(GOOD, deepcopy(GOOD)) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda run: setattr(run, "code", None), "ReFrame did not end"),
        (lambda run: setattr(run, "code", 0), "exit code 0, expected 1"),
        (lambda run: run.tests["B"].update(result="pass"), "B: result is 'pass', expected 'fail'"),
        (lambda run: run.tests.pop("A"), "A: not in the report"),
        (lambda run: run.tests.update(C={}), "C: unexpected in the report"),
        (lambda run: run.jobs.update({"rfm_A COMPLETED": 2}), "jobs rfm_A COMPLETED: 2, expected 1"),
        (lambda run: run.jobs.pop("rfm_B FAILED"), "jobs rfm_B FAILED: none, expected 1"),
        (lambda run: run.unfinished.append("rfm_A RUNNING"), "never ended: job rfm_A RUNNING"),
        (lambda run: run.files.clear(), "file output/A/rfm_job.out: none, expected 1f"),
        (
            lambda run: run.faults.update({f"{READ_TO_ITS_END} GET /jobs": 1}),
            "an endless body was read to its end: GET /jobs",
        ),
        (lambda run: run.remote.append(".transfer"), "on the system: .transfer is left"),
        (lambda run: run.remote.remove("A"), "on the system: A is missing"),
        (lambda run: setattr(run, "seconds", BOUND + 3), "took 63 s, undisturbed 2 s"),
    ],
)
def test_a_difference_is_reported(change: Callable[[Outcome], Any], line: str) -> None:
    found = deepcopy(GOOD)
    change(found)
    assert differences(GOOD, found) == [line]


def test_a_job_counts_when_it_executed_the_tests_commands() -> None:
    states = {"1": "rfm_A COMPLETED", "2": "rfm_A FAILED", "3": "rfm_A CANCELLED"}
    assert executed(states, ["1"]) == {"rfm_A COMPLETED": 1}
    assert executed(states, ["1", "2"]) == {"rfm_A COMPLETED": 1, "rfm_A FAILED": 1}


def test_commands_that_are_executed_twice_count_twice() -> None:
    states = dict.fromkeys(("1", "2"), "rfm_A COMPLETED")
    assert executed(states, ["1", "2"]) == executed(states, ["1", "1"]) == {"rfm_A COMPLETED": 2}


def test_a_job_that_no_list_shows_counts() -> None:
    assert executed({}, ["7"]) == {"7 unknown": 1}


def test_jobs_that_executed_nothing_are_counted() -> None:
    states = {"1": "rfm_A COMPLETED", "2": "rfm_A FAILED", "3": "IngressFileTransfer COMPLETED"}
    assert idle(states, ["1"]) == 1
    assert idle(states, ["1", "2"]) == 0


def test_markers_of_two_runs_are_equal_but_for_their_tokens() -> None:
    paths = [f"stage/T/.reframe-firecrest-{digit * 32}.changes-2" for digit in "ab"]
    assert {without_token(path) for path in paths} == {"stage/T/.reframe-firecrest-@.changes-2"}
    assert without_token("stage/T/a.out") == "stage/T/a.out"


def soaked(**results: str) -> Outcome:
    tests = {}
    for number in range(5):
        bad = number == 3
        result = results.get(f"test{number}", "fail" if bad else "pass")
        tests[f"Soak %number={number}"] = {
            "result": result,
            "short_name": f"Soak_{number}",
            "fail_phase": "sanity" if result == "fail" else None,
            "fail_reason": None,
        }
    jobs = {f"rfm_Soak_{number} COMPLETED": 3 if number == 1 else 1 for number in range(5)}
    return Outcome(1, tests, jobs)


def test_a_soak_that_went_well_has_nothing_to_tell() -> None:
    assert faults_of(Soak(1, tests=5), soaked()) == []


def test_a_soak_reports_what_is_lost_duplicated_or_false() -> None:
    outcome = soaked(test3="pass", test4="fail")
    outcome.jobs["rfm_Soak_0 COMPLETED"] = 2
    outcome.unfinished.append("rfm_Soak_2 RUNNING")
    del outcome.tests["Soak %number=2"]
    assert faults_of(Soak(1, tests=5), outcome) == [
        "never ended: job rfm_Soak_2 RUNNING",
        "test 0: 2 jobs, expected 1",
        "test 2: not in the report",
        "test 3: pass (None)",
        "test 4: fail (None)",
    ]


def test_a_log_reports_what_has_survived_last(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert survivors(log) == set()
    for case, lines in (("a", ()), ("b", ("lost",)), ("c", ("lost",)), ("c", ())):
        note(log, Verdict(case, "cut", met=True, differences=lines, seconds=1.0))
    assert survivors(log) == {"a", "c"}
