"""What is measured."""

from __future__ import annotations

from bench.cases import LOCAL, SLURM, Case, Options


def test_every_size_is_measured_at_every_latency() -> None:
    cases = Options(tests=(20, 100, 500), latencies=(0.0, 0.2)).cases()
    assert [case for case in cases if case.is_plain] == [
        Case(tests, latency) for tests in (20, 100, 500) for latency in (0.0, 0.2)
    ]
    assert cases[6:] == [Case(100, 0.0, shared=True), Case(500, partition=LOCAL)]


def test_what_is_asked_for_twice_is_measured_once() -> None:
    cases = Options(tests=(250, 500), latencies=(0.0,), scale=1000).cases()
    assert [case.tests for case in cases if case.is_plain] == [250, 500, 1000]


def test_large_files_and_slurm_are_measured_where_asked_for() -> None:
    cases = Options(tests=(20,), latencies=(0.0, 0.2), large_mib=64, slurm=True).cases()
    assert cases[-4:] == [
        Case(1, 0.0, large_mib=64),
        Case(1, large_mib=64, partition=LOCAL),
        Case(20, 0.2, over_slurm=True),
        Case(20, partition=SLURM),
    ]


def test_a_gateway_that_is_not_ours_is_taken_as_it_is() -> None:
    cases = Options(tests=(100,), latencies=(None,), slurm=True).cases()
    assert cases == [
        Case(100),
        Case(100, shared=True),
        Case(100, partition=LOCAL),
        Case(100, partition=SLURM),
    ]


def test_a_title_says_what_is_special() -> None:
    assert Case(20).title == "20 tests"
    assert Case(1, 0.2, large_mib=8).title == "1 test, 200 ms, 8 MiB each way"
    assert Case(5, 0.0, shared=True, over_slurm=True).title == "5 tests, 0 ms, same inputs, over Slurm"
    assert Case(5, partition=LOCAL).title == "5 tests, ReFrame's local"
