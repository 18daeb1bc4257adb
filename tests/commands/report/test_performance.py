"""Performance figures."""

from __future__ import annotations

from typing import Any

import pytest

from reframe_firecrest.commands.report.page import gauge_of
from reframe_firecrest.commands.report.performance import PerformanceValue, performance_values
from reframe_firecrest.commands.report.reframe_report import ReframeReport
from tests.commands.report.worlds import case, results


def figures(*entry: Any) -> PerformanceValue:
    report = ReframeReport.model_validate(results([case("t", perfvalues={"alps:gpu:x": list(entry)})]))
    [figure] = performance_values(report)
    return figure


@pytest.mark.parametrize(
    ("entry", "limits", "deviation"),
    [
        ((110.0, 100.0, -0.1, 0.2, "GB/s", "pass"), (90.0, 120.0), 0.1),
        ((80.0, 100.0, -0.1, None, "GB/s", "fail"), (90.0, None), -0.2),
        ((-110.0, -100.0, -0.1, 0.2, "", "pass"), (-110.0, -80.0), -0.1),
        ((0.3, 0.0, -0.5, 0.5, "", "pass"), (-0.5, 0.5), None),
        ((None, 100.0, -0.1, None, "s", None), (90.0, None), None),
        ((float("inf"), 100.0, None, None, "s", "pass"), (None, None), None),
    ],
)
def test_a_figure_has_limits_and_a_deviation(
    entry: tuple[Any, ...], limits: tuple[float | None, float | None], deviation: float | None
) -> None:
    figure = figures(*entry)
    assert (figure.lower, figure.upper) == pytest.approx(limits)
    assert figure.deviation == (None if deviation is None else pytest.approx(deviation))
    assert (figure.name, figure.reference) == ("x", entry[1])


def test_a_reference_of_zero_without_limits_is_none() -> None:
    assert figures(210.0, 0, None, None, "ms", "pass").reference is None


def test_the_last_attempt_counts_and_failures_come_first() -> None:
    def tried(name: str, value: float, verdict: str) -> dict[str, Any]:
        return case(name, perfvalues={"alps:gpu:x": [value, 1.0, -0.1, None, "s", verdict]})

    runs = [
        [tried("a", 1, "pass"), tried("b", 0.1, "fail"), tried("c", 0.2, "fail")],
        [tried("b", 1, "pass")],
    ]
    found = performance_values(ReframeReport.model_validate(results(*runs)))
    assert [(figure.test, figure.value, figure.verdict) for figure in found] == [
        ("c", 0.2, "fail"),
        ("a", 1, "pass"),
        ("b", 1, "pass"),
    ]
    assert performance_values(None) == []


def test_the_picture_of_a_deviation_shows_all_of_it() -> None:
    gauge = gauge_of(figures(80.0, 100.0, -0.1, None, "s", "fail"))
    assert gauge is not None
    assert 0 < gauge.mark < gauge.left < 50
    assert gauge.left + gauge.width == pytest.approx(100)
    inside = gauge_of(figures(101.0, 100.0, -0.1, 0.1, "s", "pass"))
    assert inside is not None
    assert inside.left < 50 < inside.mark < inside.left + inside.width < 100
    assert gauge_of(figures(1.0, 0, None, None, "s", "pass")) is None


@pytest.mark.parametrize(
    ("result", "verdict"), [("fail", "fail"), ("xfail", "xfail"), ("pass", ""), ("skip", ""), ("abort", "")]
)
def test_a_figure_without_a_value_has_failed_with_its_test(result: str, verdict: str) -> None:
    entry = [None, 100.0, -0.1, None, "s", None]
    report = results([case("t", result=result, perfvalues={"alps:gpu:x": entry})])
    [figure] = performance_values(ReframeReport.model_validate(report))
    assert (figure.value, figure.verdict) == (None, verdict)
