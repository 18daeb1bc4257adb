"""The table of targets, from runs that are made up."""

from __future__ import annotations

from typing import Any

import pytest

from bench.cases import Case, Options
from bench.figure import Figure, Found
from bench.runs import Flow, ProcessFigures, Run
from bench.spread import Spread
from bench.targets import targets

OPTIONS = Options(tests=(1, 4, 20, 100), latencies=(0.0, 0.2))


def run(requests: int = 1, wall_s: float = 1.0, received: int = 0, files: int = 0, **process: Any) -> Run:
    traffic = {"POST x": Flow(requests=requests, received=received), "GET storage": Flow(received=files)}
    return Run(passed=True, traffic=traffic, wall_s=wall_s, process=ProcessFigures(**process))


def named(found: Found, name: str, suite: str = "", options: Options = OPTIONS) -> Figure:
    [figure] = [
        item
        for item in targets(options, found)
        if item.name.startswith(name) and item.suite.startswith(suite)
    ]
    return figure


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    figures = targets(OPTIONS, {})
    assert figures
    for figure in figures:
        assert figure.reached is None
        assert figure.remark.startswith("not measured"), figure.name


def test_a_run_that_failed_measures_nothing() -> None:
    failed = run(requests=2)
    failed.passed = False
    figure = named({Case(20, 0.2): [failed]}, "requests per test", "20 tests")
    assert figure.measured is None
    assert figure.remark == "not measured: no run passed"


@pytest.mark.parametrize(("requests", "met"), [(10, True), (11, False)])
def test_a_single_test_may_send_few_requests(requests: int, met: bool) -> None:
    figure = named({Case(1, 0.2): [run(requests=requests)]}, "requests", "1 test")
    assert (figure.target, figure.reached) == (10.0, met)


def test_requests_of_many_are_counted_per_test() -> None:
    figure = named({Case(20, 0.2): [run(requests=32), run(requests=36), run(requests=30)]}, "requests", "20")
    assert figure.measured == Spread(1.6, 1.5, 1.8)
    assert figure.reached


@pytest.mark.parametrize(("wall_s", "met"), [(4.0, True), (4.1, False)])
def test_wall_time_is_that_of_the_command(wall_s: float, met: bool) -> None:
    assert named({Case(4, 0.2): [run(wall_s=wall_s)]}, "wall time, s", "4 tests").reached is met


def test_the_target_of_the_wall_time_holds_at_its_latency_only() -> None:
    options = Options(tests=(1,), latencies=(0.5,))
    assert named({Case(1, 0.5): [run()]}, "wall time, s", "1 test", options).target is None
    options = Options(tests=(1,), latencies=(None,))
    assert named({Case(1): [run()]}, "wall time, s", "1 test", options).target == 3.5


@pytest.mark.parametrize(("native", "met"), [(11.5, True), (11.4, False)])
def test_reframe_on_the_same_slurm_may_be_faster_only_by_a_share(native: float, met: bool) -> None:
    options = Options(tests=(100,), latencies=(0.2,), slurm=True)
    ours, theirs = options.rivals(100)
    found = {Case(100, 0.2): [run()], ours: [run(wall_s=10.0)], theirs: [run(wall_s=native)]}
    figure = named(found, "wall time of native", "100 tests", options)
    assert (figure.limit, figure.target, figure.reached) == ("≥", 1.15, met)


def test_a_list_is_compared_with_one_without_this_package() -> None:
    ours, theirs = OPTIONS.listings
    found = {
        ours: [run(wall_s=0.4, peak_bytes=54_900_000)],
        theirs: [run(wall_s=0.36, peak_bytes=50_000_000)],
    }
    assert named(found, "wall time / native").reached
    figure = named(found, "peak memory", "10 tests")
    assert (figure.reached, figure.remark) == (True, "native: 50.0 MB")


def test_a_busy_account_may_cost_twice_an_idle_one() -> None:
    options = Options(tests=(1,), latencies=(0.2,), sleep=180, history=1300)
    idle, busy = options.sleeping
    found = {idle: [run(received=1_000_000)], busy: [run(received=2_500_000)]}
    assert named(found, "bytes received, MB", busy.title, options).reached
    assert named(found, "bytes received /", options=options).reached is False


def scaled(**large: Any) -> list[Figure]:
    options = Options(tests=(1,), latencies=(0.2,), scales=(500, 5000))
    found = {
        Case(500, 0.0): [run(requests=500, wall_s=50, received=10**6, cpu_s=5, peak_bytes=100_000_000)],
        Case(5000, 0.0): [
            run(
                **{
                    "requests": 5000,
                    "wall_s": 500,
                    "received": 10**7,
                    "cpu_s": 50,
                    "peak_bytes": 190_000_000,
                    **large,
                }
            )
        ],
    }
    return [figure for figure in targets(options, found) if figure.suite == "5000 tests, 0 ms"]


def test_ten_times_the_tests_may_cost_ten_times_as_much() -> None:
    figures = scaled()
    assert len(figures) == 6
    assert all(figure.reached for figure in figures)


@pytest.mark.parametrize(
    ("large", "missed"),
    [
        ({"wall_s": 601}, ["wall time per test / 500 tests'"]),
        ({"cpu_s": 61}, ["processor time per test / 500 tests'"]),
        ({"requests": 6001}, ["requests per test / 500 tests'"]),
        ({"peak_bytes": 190_100_000}, ["memory per test beyond 500 tests, kB"]),
        (
            {"received": 13_000_000},
            ["bytes received other than files, kB per test", "bytes sent and received per test / 500 tests'"],
        ),
    ],
    ids=["wall", "processor", "requests", "memory", "bytes"],
)
def test_what_grows_faster_than_the_tests_is_missed(large: dict[str, float], missed: list[str]) -> None:
    assert [figure.name for figure in scaled(**large) if not figure.reached] == missed


def test_files_do_not_count_as_other_bytes() -> None:
    options = Options(tests=(1,), latencies=(0.2,), scales=(500,))
    found = {Case(500, 0.0): [run(received=1_000_000, files=10**9)]}
    figure = named(found, "bytes received other", options=options)
    assert figure.measured == Spread(2.0, 2.0, 2.0)
    assert figure.reached
