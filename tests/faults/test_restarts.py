"""Killed components are always restarted, and a line reports the run's outcome."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.faults import restarts
from tests.faults.restarts import Absence, Run, Times, fault_injection, standstill, verdict, went_on
from tests.faults.running import Outcome

GOOD = Outcome(
    code=1,
    tests={"A": {"result": "pass"}, "B": {"result": "fail"}},
    jobs={"rfm_A COMPLETED": 1, "rfm_B FAILED": 1},
    seconds=40.0,
)
AWAY = Times(killed=100.0, started=110.0)
ABSENCE = Absence("true", "true", after=8, lasting=10)


def noting(path: Path, word: str) -> str:
    return f"echo {word} >> {path}"


def test_what_is_killed_is_started_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    times = fault_injection(
        Absence(noting(log, "killed"), noting(log, "started"), 0.0, 0.1), threading.Event()
    )
    assert log.read_text().split() == ["killed", "started"]
    assert times is not None
    assert 0.1 <= times.started - times.killed < 5.0


def test_it_is_started_again_also_where_the_kill_fails(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(subprocess.CalledProcessError):
        fault_injection(Absence("false", noting(log, "started"), 0.0, 60.0), threading.Event())
    assert log.read_text().split() == ["started"]


def test_a_run_that_is_over_is_not_disturbed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    over = threading.Event()
    over.set()
    assert fault_injection(Absence(noting(log, "killed"), "true", 60.0, 0.0), over) is None
    assert not log.exists()


@pytest.mark.parametrize(
    ("moves", "end", "seconds"),
    [
        ([99.0, 101.0, 118.0, 150.0], 151.0, 17.0),
        ([99.0, 112.0], 113.0, 12.0),
        ([99.0], 140.0, 40.0),
        ([], 105.0, 5.0),
    ],
)
def test_the_longest_standstill_is_one_of_those_that_began_before_it_was_back(
    moves: list[float], end: float, seconds: float
) -> None:
    assert standstill(AWAY, moves, end) == seconds


def test_it_continues_with_the_first_move_after_the_start() -> None:
    assert went_on(AWAY, [99.0, 105.0, 117.0, 118.0]) == 7.0
    assert went_on(AWAY, [99.0, 105.0]) is None


def test_a_line_reports_the_outcome_of_a_run_that_survived() -> None:
    found = Run(deepcopy(GOOD), AWAY, [99.0, 117.0], ended=118.0)
    found.outcome.seconds = 52.0
    line, survived = verdict(ABSENCE, GOOD, found)
    assert survived
    assert line == (
        "after 8 s for 10 s: 2 tests, 2 jobs, 52 s instead of 40 s, nothing moved for 17 s, "
        "it went on 7 s after the start: as undisturbed"
    )


def test_a_line_reports_what_a_run_lost() -> None:
    found = Run(deepcopy(GOOD), AWAY, [], ended=118.0)
    found.outcome.jobs["rfm_A COMPLETED"] = 2
    line, survived = verdict(ABSENCE, GOOD, found)
    assert not survived
    assert line.endswith("nothing went on: jobs rfm_A COMPLETED: 2, expected 1")


def test_a_run_that_was_not_disturbed_has_not_survived() -> None:
    found = Run(deepcopy(GOOD), None, [], ended=118.0)
    assert verdict(ABSENCE, GOOD, found) == ("after 8 s for 10 s: the run was over before", False)


@pytest.mark.e2e
@pytest.mark.skipif(
    "FIRECREST_URL" in os.environ or "SANDBOX_RUNNER" in os.environ,
    reason="only a sandbox of our own is ours to stop",
)
def test_a_gateway_that_does_not_answer_for_a_while_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(restarts, "SECONDS", 0.5)
    with gateway_process(tmp_path) as (process, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        kill, start = f"kill -STOP {process.pid}", f"kill -CONT {process.pid}"
        code = restarts.main(["--kill", kill, "--start", start, "--after", "1", "--for", "1", "--tests", "3"])
    said = capsys.readouterr().out
    assert "after 1 s for 1 s: 8 tests, 13 jobs" in said
    assert said.endswith(": as undisturbed\n"), said
    assert code == 0


@contextmanager
def gateway_process(directory: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Start a sandbox that can be stopped without stopping us."""
    env_file = directory / "client.env"
    main = "from reframe_firecrest.cli.main import main; main()"
    command = [sys.executable, "-c", main, "sandbox", "--env-file", str(env_file)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "the sandbox did not start"
            shell = ["env", "-i", "bash", "-c", f". {env_file}; env -0"]
            answer = subprocess.run(shell, capture_output=True, text=True, check=True)
            yield process, dict(line.split("=", 1) for line in answer.stdout.split("\0") if line)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
