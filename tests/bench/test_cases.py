"""Cases of the benchmark."""

from __future__ import annotations

import pytest

from bench import running
from bench.cases import LOCAL, SLURM, Case, Options
from bench.runs import Run

LISTINGS = [Case(10, listing=True), Case(10, partition=SLURM, listing=True)]


def test_the_slowest_gateway_is_measured_and_a_list() -> None:
    cases = Options(tests=(1, 4, 20, 100), latencies=(0.0, 0.2)).cases()
    assert cases == [Case(1, 0.2), Case(4, 0.2), Case(20, 0.2), Case(100, 0.2), *LISTINGS]


def test_more_is_measured_where_asked_for() -> None:
    cases = Options(tests=(20, 100), latencies=(0.0, 0.2), more=True).cases()
    assert [case for case in cases if case.is_plain] == [
        Case(tests, latency) for tests in (20, 100) for latency in (0.0, 0.2)
    ]
    assert cases[-2:] == [Case(100, 0.0, shared=True), Case(100, partition=LOCAL)]


def test_what_is_asked_for_twice_is_measured_once() -> None:
    cases = Options(tests=(250, 500), latencies=(0.0,), scales=(500, 1000)).cases()
    assert [case.tests for case in cases if case.is_plain] == [250, 500, 1000]


def test_sizes_are_compared_without_latency() -> None:
    options = Options(tests=(1,), latencies=(0.2,), scales=(500, 5000))
    assert options.cases()[-2:] == [Case(500, 0.0), Case(5000, 0.0)]


def test_large_files_and_slurm_are_measured_where_asked_for() -> None:
    cases = Options(tests=(20,), latencies=(0.0, 0.2), large_mib=64, slurm=True).cases()
    assert cases[-6:] == [
        Case(1, 0.0, large_mib=64),
        Case(1, large_mib=64, partition=LOCAL),
        Case(20, 0.2, over_slurm=True),
        Case(20, partition=SLURM),
        Case(100, 0.2, over_slurm=True),
        Case(100, partition=SLURM),
    ]


def test_sleeping_tests_run_in_an_idle_and_in_a_busy_account() -> None:
    cases = Options(tests=(1,), latencies=(0.2,), sleep=180, history=1300).cases()
    assert cases[-2:] == [Case(20, 0.2, sleep=180), Case(20, 0.2, sleep=180, history=1300)]


def test_a_gateway_that_is_not_ours_is_taken_as_it_is() -> None:
    options = Options(tests=(20,), latencies=(None,), slurm=True, scales=(500,), sleep=60)
    assert options.cases() == [
        Case(20),
        *LISTINGS,
        Case(20, partition=SLURM),
        Case(100),
        Case(100, partition=SLURM),
        Case(500),
        Case(20, sleep=60),
    ]


def test_a_title_states_what_is_special() -> None:
    assert Case(20).title == "20 tests"
    assert Case(1, 0.2, large_mib=8).title == "1 test, 200 ms, 8 MiB each way"
    assert Case(5, 0.0, shared=True, over_slurm=True).title == "5 tests, 0 ms, same inputs, over Slurm"
    assert Case(5, partition=LOCAL).title == "5 tests, ReFrame's local"
    assert Case(10, listing=True).title == "10 tests, listed"
    assert Case(20, sleep=9, history=7).title == "20 tests, sleeping 9 s, 7 other jobs"


def test_runs_on_a_batch_system_begin_when_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("bench.running.time.sleep", pauses.append)
    monkeypatch.setattr(running, "run_reframe", lambda *_given: Run(passed=True))
    for case in (Case(1), Case(1, partition=SLURM), Case(1, partition=LOCAL)):
        assert running.measure(case).passed
    assert pauses == [running.IDLE, running.IDLE]
