"""Earlier sessions on the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.commands.history.merge import merge
from reframe_firecrest.commands.report.history import MOST_VALUES, PastSession, past_session, read_history
from reframe_firecrest.commands.report.model import Report, report_of
from reframe_firecrest.commands.report.page import render
from reframe_firecrest.commands.report.performance import PastValue
from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.commands.report.sparkline import HEIGHT, WIDTH, sparkline_of
from reframe_firecrest.model.errors import ReportError
from tests.commands.report.worlds import BEGUN, case, results

DAY = 86_400.0


def night(number: int, result: str = "pass", value: float | None = None) -> dict[str, Any]:
    """Report of a nightly session with one test and one figure."""
    figures = {} if value is None else {"alps:gpu:speed": [value, 10.0, -0.1, None, "GB/s", "pass"]}
    report = results([case("t1", result=result, perfvalues=figures)])
    info = report["session_info"]
    info.update(uuid=f"night-{number}", time_start_unix=BEGUN + number * DAY)
    info.update(time_end_unix=info["time_start_unix"] + 100)
    return report


def parsed(report: dict[str, Any]) -> ReframeReport:
    return ReframeReport.model_validate(report)


def shown(*nights: dict[str, Any]) -> Report:
    """Report of the last night, with the others as its history."""
    sessions = [past_session(parsed(one)) for one in nights]
    return report_of(None, parsed(nights[-1]), sessions=sessions)


def test_values_are_those_of_the_last_nights_and_of_this_one() -> None:
    report = shown(*(night(number, value=float(number)) for number in range(40)))
    [figure] = report.figures
    assert [past.value for past in figure.past] == [float(number) for number in range(10, 40)]
    assert len(figure.past) == MOST_VALUES
    assert figure.past[-1].time == report.begin


def test_a_session_after_the_run_is_no_history_of_it() -> None:
    sessions = [past_session(parsed(night(number, "fail", value=1.0))) for number in (0, 5)]
    report = report_of(None, parsed(night(1, "fail", value=2.0)), sessions=sessions)
    assert [past.value for past in report.figures[0].past] == [1.0, 2.0]
    [failure] = report.failures
    assert failure.history is not None
    assert failure.history.sessions == 2


@pytest.mark.parametrize(
    ("earlier", "since", "sessions", "passed"),
    [
        (["pass"], 1, 1, 0),
        (["pass", "fail", "fail"], 1, 3, 0),
        (["fail", "pass", "fail"], 2, 2, 1),
        (["pass", "fail", "skip", "abort"], 1, 3, 0),
        (["fail", "fail"], 0, 3, None),
    ],
)
def test_since_when_it_fails(earlier: list[str], since: int, sessions: int, passed: int | None) -> None:
    verdicts = [*earlier, "fail"]
    [failure] = shown(*(night(number, verdict) for number, verdict in enumerate(verdicts))).failures
    history = failure.history
    assert history is not None
    assert (history.since, history.sessions) == (
        BEGUN + since * DAY,
        sessions,
    )
    assert history.passed == (None if passed is None else BEGUN + passed * DAY)


def test_a_test_that_is_new_has_no_history() -> None:
    other = results([case("t2")])
    other["session_info"]["uuid"] = "other"
    [failure] = shown(other, night(1, "fail")).failures
    assert failure.history is None
    assert "Failing since" not in render(shown(night(1, "fail")))


def test_the_page_shows_lines_and_since_when() -> None:
    nights = [night(0, "pass", 1.0), night(1, "fail", 4.0), night(2, "fail", 2.0)]
    page = render(shown(*nights))
    assert "3 values since 2027-01-15, 1 to 4 GB/s" in page
    assert '<polyline points="3.0,21.0 50.0,3.0 97.0,15.0"/>' in page
    assert "in 2 consecutive runs; it last passed on 2027-01-15" in page
    assert "this run; it last passed on 2027-01-15" in render(shown(nights[0], nights[1]))
    assert "it has not passed since the history began" in render(shown(nights[1], nights[2]))


def test_a_page_without_a_history_has_no_column_for_it() -> None:
    page = render(report_of(None, parsed(night(0, value=1.0))))
    assert "Last runs" not in page
    assert "<polyline" not in page


@pytest.mark.parametrize("values", [[1.0, 1.0], [-1e308, 1e308], [0.0, float("inf"), 1.0], [1e-320, 2e-320]])
def test_a_line_stays_inside_its_drawing(values: Sequence[float]) -> None:
    line = sparkline_of([PastValue(BEGUN, value) for value in values])
    assert line is not None
    for point in line.points.split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


def test_fewer_than_two_values_are_no_line() -> None:
    assert sparkline_of([PastValue(BEGUN, 1.0)]) is None
    assert sparkline_of([PastValue(BEGUN, 1.0), PastValue(BEGUN, float("nan"))]) is None


def test_it_is_read_from_a_database_oldest_first(tmp_path: Path) -> None:
    files = []
    for number in (2, 0, 1):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(night(number, value=float(number))))
    (tmp_path / "odd.json").write_text(
        json.dumps({"session_info": {"uuid": "odd", "time_start_unix": 0, "time_end_unix": 0}, "runs": []})
    )
    merge(tmp_path / "history.db", [*files, tmp_path / "odd.json"])
    sessions: list[PastSession] = read_history(tmp_path / "history.db")
    assert [session.uuid for session in sessions] == ["odd", "night-0", "night-1", "night-2"]
    with pytest.raises(ReportError, match="there is no results database"):
        read_history(tmp_path / "nosuch.db")
    with pytest.raises(ReportError, match="is not a results database of ReFrame"):
        read_history(files[0])
