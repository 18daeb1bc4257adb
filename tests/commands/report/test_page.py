"""The page, as text; `test_browser` looks at it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import pytest

from reframe_firecrest.commands.report.model import Report, report_of
from reframe_firecrest.commands.report.page import areas_of, describe, headline_of, most_at_once, render
from reframe_firecrest.commands.report.reframe_report import ReframeReport
from reframe_firecrest.journal.events import Closed
from tests.commands.report.conftest import Journals
from tests.commands.report.worlds import RUN, case, job, lived, opened, results

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e{{ 7*7 }}"


def report(*cases: dict[str, Any]) -> Report:
    return report_of(None, ReframeReport.model_validate(results(cases)))


class Reader(HTMLParser):
    """Knows elements, their attributes and what can be read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([], "No tests"),
        (["pass"], "All 1 test passed"),
        (["pass", "xfail"], "All 2 tests passed"),
        (["pass", "skip", "fail_deps"], "1 of 3 tests passed, 2 skipped"),
        (["pass", "fail", "abort", "xpass"], "3 of 4 tests failed"),
        (["pass", "?"], "2 tests ended, with unknown verdicts"),
    ],
)
def test_the_headline_shows_the_outcome(verdicts: list[str], said: str) -> None:
    cases = [case(f"t{number}", result=verdict) for number, verdict in enumerate(verdicts)]
    assert headline_of(report(*cases)) == said


def test_a_run_that_was_killed_states_how_far_it_came_and_what_to_do(journal: Journals) -> None:
    run = journal([opened(), job(1, 1, "queued"), job(2, 1, "queued"), job(2, 2, "failed", error="no space")])
    made = report_of(run, None)
    assert headline_of(made) == "1 of 2 tests failed, 1 unfinished"
    page = render(made)
    assert f"reframe-firecrest clean {RUN}" in page
    assert "report: a test counts as failed if its job failed;" in page


def test_a_run_without_failures_that_is_not_over_is_not_said_to_have_passed(journal: Journals) -> None:
    assert headline_of(report_of(journal([opened(), job(1, 1, "queued")]), None)) == "1 of 1 test unfinished"


def test_whatever_comes_from_outside_is_text(journal: Journals) -> None:
    moves = lived(1, begin=1, staging=1, queue=1, run=1, retrieval=1, nodes=HOSTILE, job_id=HOSTILE)
    run = journal([opened(system="alps"), *moves, Closed(time=1.0, left=(HOSTILE,))])
    figure = {f"a:b:{HOSTILE}": [1.0, 2.0, -0.1, None, HOSTILE, "fail"]}
    hostile = case(
        "t1",
        display_name=HOSTILE,
        system=HOSTILE,
        hashcode=HOSTILE,
        result="fail",
        fail_phase=HOSTILE,
        fail_reason=HOSTILE,
        perfvalues=figure,
        job_stdout=HOSTILE,
    )
    session = results([hostile, hostile | {"environ": "other"}])
    session["session_info"] |= {"hostname": HOSTILE, "version": HOSTILE}
    plain = Reader(render(report_of(run, ReframeReport.model_validate(results([case("t1", result="fail")])))))
    page = render(report_of(run, ReframeReport.model_validate(session)))
    read = Reader(page)
    assert read.tags.count("script") == plain.tags.count("script") == 1
    assert "img" not in read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert "{{ 7*7 }}" in read.text
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_it_forbids_whatever_it_does_not_have(journal: Journals) -> None:
    page = render(report(case("t1", result="fail")))
    policy = dict(Reader(page).attributes)["content"]
    assert re.search(r"default-src 'none'", page)
    assert policy is not None
    for attribute in ("src", "action", "srcset", "data", "ping"):
        assert attribute not in dict(Reader(page).attributes)
    references = [value for name, value in Reader(page).attributes if name == "href"]
    assert all(value == "data:," or (value or "").startswith("#") for value in references)
    assert "@import" not in page
    assert "url(" not in page


def test_the_areas_stand_on_each_other(journal: Journals) -> None:
    early = lived(1, begin=0, staging=0, queue=0, run=20, retrieval=0)
    late = lived(2, begin=0, staging=0, queue=20, run=0, retrieval=0)
    made = report_of(journal([opened(), *early, *late]), None)
    assert most_at_once(made) == 2
    points = {
        part: [tuple(map(float, point.split(","))) for point in line.split()] for part, line in areas_of(made)
    }
    assert list(points) == ["run", "retrieval", "staging", "queue"]
    assert {y for _, y in points["run"]} == {50, 100}
    assert {y for _, y in points["staging"]} == {50}
    assert {y for _, y in points["queue"]} == {0, 50}


def test_only_where_tests_differ_in_their_place_it_is_repeated() -> None:
    same = Reader(render(report(case("t1"), case("t2")))).text
    assert same.count("alps:gpu+gnu") == 2
    other = Reader(render(report(case("t1"), case("t2", environ="cray")))).text
    assert "All on" not in other
    assert "alps:gpu+cray" in other


def test_a_figure_without_a_value_is_marked(journal: Journals) -> None:
    entry = {"a:b:time": [None, 10.0, -0.1, None, "s", None]}
    page = render(report(case("t", result="fail", perfvalues=entry)))
    [row] = re.findall(r"<tr[^>]*>(?:(?!</tr>).)*<td>time</td>.*?</tr>", page)
    assert 'class="out"' in row
    assert "✗" in row
    assert '<td class="num">no value</td>' in row


def test_the_parts_of_a_test_add_up_to_its_time(journal: Journals) -> None:
    moves = lived(1, begin=1, staging=2, queue=3, run=10, retrieval=5)
    run = journal([opened(), *moves])
    made = report_of(run, ReframeReport.model_validate(results([case("t1", result="fail", time_total=38.0)])))
    [test] = made.tests
    assert test.seconds == 38.0
    assert describe(test) == "staging 2 s, queue 3 s, run 10 s, retrieval 5 s, in ReFrame 18 s"
    assert "<dd>38 s: staging 2 s" in render(made)


def test_without_a_report_the_parts_are_all(journal: Journals) -> None:
    moves = lived(1, begin=1, staging=2, queue=3, run=10, retrieval=5)
    [test] = report_of(journal([opened(), *moves]), None).tests
    assert describe(test) == "staging 2 s, queue 3 s, run 10 s, retrieval 5 s"
