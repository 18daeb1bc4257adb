"""The figures, from runs that are made up."""

from __future__ import annotations

from typing import Any

import pytest

from bench.cases import LOCAL, Case, Options
from bench.figure import Figure, Found
from bench.figures import figures
from bench.runs import LIST, Flow, ProcessFigures, Run
from bench.spread import Spread

OPTIONS = Options(tests=(20, 100), latencies=(0.0, 0.2), more=True)


def run(requests: int = 1, lists: int = 0, singles: int = 0, **values: Any) -> Run:
    traffic = {"POST x": Flow(requests=requests)}
    traffic[LIST] = Flow(requests=lists)
    traffic[f"{LIST}/{{id}}"] = Flow(requests=singles)
    return Run(passed=True, traffic=traffic, **{"wall_s": 1.0, **values})


def named(found: Found, name: str, suite: str = "", options: Options = OPTIONS) -> Figure:
    [figure] = [
        item
        for item in figures(options, found)
        if item.name.startswith(name) and item.suite.startswith(suite)
    ]
    return figure


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    for figure in figures(OPTIONS, {}):
        assert figure.reached is None
        assert figure.remark.startswith("not measured"), figure.name


def test_a_run_that_failed_measures_nothing() -> None:
    failed = run(lists=2)
    failed.passed = False
    assert named({Case(20, 0.0): [failed]}, "status", "20 tests").measured is None


def test_slowdown_compares_medians() -> None:
    found = {
        Case(20, 0.0): [run(wall_s=wall) for wall in (4.0, 5.0, 10.0)],
        Case(20, 0.2): [run(wall_s=wall) for wall in (8.0, 12.0, 9.0)],
    }
    figure = named(found, "wall at", "20 tests")
    assert figure.measured == Spread(1.8, 0.8, 3.0)
    assert figure.reached
    assert named(found, "wall at", "100 tests").measured is None


@pytest.mark.parametrize(("lists", "singles", "reached"), [(10, 0, True), (6, 4, True), (6, 5, False)])
def test_status_requests_are_held_against_the_ticks(lists: int, singles: int, reached: bool) -> None:
    found = {Case(100, 0.0): [run(lists=lists, singles=singles, session_s=10.0, wall_s=99.0)]}
    figure = named(found, "status", "100 tests")
    assert figure.reached is reached
    assert figure.remark == f"lists of jobs: {lists}, single jobs: {singles}"


def test_submit_is_the_worst_median_of_all() -> None:
    found = {
        Case(20, 0.0): [run(process=ProcessFigures(submits_ms=[1.0, 1.0, 90.0]))],
        Case(100, 0.2): [run(process=ProcessFigures(submits_ms=[2.0, 6.0, 6.5]))],
    }
    figure = named(found, "submit()")
    assert (figure.suite, figure.reached) == ("100 tests, 200 ms", False)
    assert figure.remark == "slowest of all: 90.0 ms"


@pytest.mark.parametrize(("sent", "reached"), [(136_000, True), (136_001, False)])
def test_shared_inputs_may_travel_once(sent: int, reached: bool) -> None:
    traffic = {
        "POST /filesystem/{system}/ops/upload": Flow(sent=sent),
        "POST /compute/{system}/jobs": Flow(sent=10**6),
    }
    shared = Run(passed=True, inputs=100_000, scripts=6_000, traffic=traffic)
    figure = named({OPTIONS.shared: [shared]}, "bytes of files sent")
    assert figure.target == pytest.approx(136.0)
    assert figure.reached is reached


@pytest.mark.parametrize(("fetched", "reached"), [(1200, True), (1201, False)])
def test_only_files_count_as_fetched(fetched: int, reached: bool) -> None:
    traffic = {"GET storage": Flow(received=fetched), "GET /filesystem/{system}/ops/ls": Flow(received=10**6)}
    found = {Case(20, 0.0): [Run(passed=True, packed=1000, traffic=traffic)]}
    assert named(found, "bytes fetched", "20 tests").reached is reached


def test_memory_is_what_the_same_tests_do_not_need_without_firecrest() -> None:
    options = Options(tests=(20,), latencies=(0.0,), large_mib=1024)
    found = {
        Case(20, 0.0): [run(process=ProcessFigures(peak_bytes=150_000_000))],
        Case(20, partition=LOCAL): [run(process=ProcessFigures(peak_bytes=80_000_000))],
        Case(1, 0.0, large_mib=1024): [run(process=ProcessFigures(peak_bytes=190_000_000))],
        Case(1, large_mib=1024, partition=LOCAL): [run(process=ProcessFigures(peak_bytes=81_000_000))],
    }
    figure = named(found, "peak memory", "20 tests", options)
    assert (figure.measured, figure.reached) == (Spread(70.0, 70.0, 70.0), True)
    figure = named(found, "peak memory", "1 test", options)
    assert (figure.measured, figure.reached) == (Spread(109.0, 109.0, 109.0), False)
