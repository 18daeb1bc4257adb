"""Tables."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from bench.cases import LOCAL, Case, Options
from bench.figure import Figure
from bench.runs import Flow, ProcessFigures, Run
from bench.spread import Spread
from bench.tables import Sheet, figure_sheet, markdown, rich_table, scale_sheet, time_sheet, traffic_sheet


def test_a_repeated_measurement_shows_its_range_where_there_is_one() -> None:
    assert Spread.of([]) is None
    spread = Spread.of([3.0, 1.0, 2.0])
    assert spread is not None
    assert spread.text(1) == "2.0 (1.0-3.0)"
    same = Spread.of([1.01, 1.02])
    assert same is not None
    assert same.text(1) == "1.0"


def test_a_figure_stands_beside_its_target() -> None:
    sheet = figure_sheet(
        "title",
        [
            Figure("a", "20 tests", Spread(1.0, 1.0, 1.0), 3.0),
            Figure("b", "20 tests", Spread(4.0, 4.0, 4.0), 3.0, digits=0, remark="why"),
            Figure("c", "", target=1.0),
            Figure("d", "", Spread(4.0, 4.0, 4.0), 3.0, limit="≥"),
        ],
    )
    assert sheet.rows == [
        ("a", "20 tests", "1.00", "≤ 3.00", "met", ""),
        ("b", "20 tests", "4", "≤ 3", "MISSED", "why"),
        ("c", "", "", "≤ 1.00", "", ""),
        ("d", "", "4.00", "≥ 3.00", "met", ""),
    ]


def test_runs_are_summarised_and_failures_left_out() -> None:
    runs = [
        Run(
            passed=True,
            wall_s=1.0,
            session_s=0.5,
            process=ProcessFigures(submits_ms=[1.0, 3.0], peak_bytes=10**8),
        ),
        Run(passed=True, wall_s=3.0, process=ProcessFigures(submits_ms=[2.0], peak_bytes=10**8)),
        Run(wall_s=99.0),
    ]
    sheet = time_sheet({Case(20, 0.2): runs})
    assert sheet.rows == [
        (
            *("20 tests, 200 ms, 1 of 3 FAILED", "2.0 (1.0-3.0)", "0.5", "0.0", "0.0"),
            *("2.00", "2.5 (2.0-3.0)", "100"),
        )
    ]


def test_traffic_is_shown_where_there_is_any() -> None:
    run = Run(passed=True, traffic={"PUT storage": Flow(requests=2, sent=3000, received=10)})
    sheet = traffic_sheet({Case(20): [run], Case(20, partition=LOCAL): [Run(passed=True)]})
    assert sheet.rows == [("20 tests", "2", "0", "0", "0", "3.0", "3.0", "0.0", "0.0")]


def test_scale_shows_what_a_test_costs() -> None:
    options = Options(tests=(20,), latencies=(0.0,), scales=(250, 500))
    runs = [
        Run(
            passed=True,
            wall_s=50.0,
            process=ProcessFigures(cpu_s=25.0, peak_bytes=10**8),
            traffic={"x": Flow(requests=300, sent=10**6, received=10**6)},
        )
    ]
    first, *_rest = scale_sheet(options, {Case(250, 0.0): runs}).rows
    assert list(first) == [
        *("250 tests", "50.0", "200.00", "25.0", "100.00", "300", "1.20"),
        *("2.0", "8.00", "100", "400.00"),
    ]


def test_markdown_has_a_rule_and_no_stray_bars() -> None:
    text = markdown(Sheet("Title", ("figure", "n"), [("a|b", "1"), ("c", "2")]))
    assert text == "Title:\n\n| figure | n |\n| --- | ---: |\n| a\\|b | 1 |\n| c | 2 |\n"


def test_brackets_are_no_markup() -> None:
    console = Console(width=60, file=StringIO())
    with console.capture() as capture:
        console.print(rich_table(Sheet("Title", ("figure", "n"), [("[red]a", "1")])))
    assert "[red]a" in capture.get()
