"""Present a report in GitHub Actions: a job summary in Markdown, and annotations.

Source of the formats: "Workflow commands for GitHub Actions" in GitHub's documentation. Names and reasons
come from tests, so they are escaped twice: to one line, and for Markdown or for a workflow command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reframe_firecrest.commands.report.history import FailureHistory
from reframe_firecrest.commands.report.model import Failure, Report
from reframe_firecrest.commands.report.page import SIGNS, failing_since, headline_of
from reframe_firecrest.commands.report.performance import PerformanceValue
from reframe_firecrest.model.errors import one_line

MOST_ANNOTATIONS = 10
"""Errors that GitHub shows of one step; it drops more."""

MOST_ROWS = 200
"""Rows of a table: GitHub refuses a summary above 1 MiB."""

LONGEST = 300
"""Characters of a reason in the summary; an annotation has all of it."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&@:$])")
_OUT = ("fail", "xpass")


def error_commands(report: Report) -> Iterator[str]:
    """Yield one workflow command for each failed test, up to the number that GitHub shows."""
    for failure in report.failures[:MOST_ANNOTATIONS]:
        test = failure.test
        title = _property(f"{test.name} @{test.where}")
        reason = ": ".join(part for part in (test.phase, test.reason or test.verdict.value) if part)
        yield f"::error title={title}::{_data(one_line(reason))}"


def summary(report: Report) -> str:
    """Return the job summary."""
    parts = [f"### {markdown(headline_of(report))}", _facts(report)]
    if report.failures:
        parts.append(
            _table("| | test | failed in | reason | failing since |", map(_failure, report.failures))
        )
        if len(report.failures) > MOST_ROWS:
            parts.append(f"{len(report.failures) - MOST_ROWS} more failed.")
    out = [figure for figure in report.figures if figure.verdict in _OUT]
    if out:
        parts.append(_table("| test | figure | value | reference |", map(_figure, out)))
    return "\n\n".join(part for part in parts if part) + "\n\n"


def markdown(text: str) -> str:
    """Escape a text to one line of plain text in GitHub's Markdown."""
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def _facts(report: Report) -> str:
    systems = sorted({session.system for session in report.sessions})
    facts = [f"run {report.run}" if report.run else "", *systems]
    return ", ".join(markdown(fact) for fact in facts if fact)


def _table(heads: str, rows: Iterator[str]) -> str:
    ruler = "|" + " --- |" * (heads.count("|") - 1)
    shown = [row for row, _ in zip(rows, range(MOST_ROWS), strict=False)]
    return "\n".join([heads, ruler, *shown])


def _failure(failure: Failure) -> str:
    test = failure.test
    reason = test.reason if len(test.reason) <= LONGEST else f"{test.reason[:LONGEST]}..."
    name = f"{markdown(test.name)}<br>{markdown(test.where)}"
    return _row(SIGNS[test.verdict], name, markdown(test.phase), markdown(reason), _since(failure.history))


def _since(history: FailureHistory | None) -> str:
    return "" if history is None else markdown(failing_since(history))


def _figure(figure: PerformanceValue) -> str:
    name = f"{markdown(figure.test)}<br>{markdown(figure.where)}"
    value, reference = (
        "" if number is None else markdown(f"{number:.5g} {figure.unit}".strip())
        for number in (figure.value, figure.reference)
    )
    return _row(name, markdown(figure.name), value, reference)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(one_line(text)).replace(":", "%3A").replace(",", "%2C")
