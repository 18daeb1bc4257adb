"""A run in GitHub's job summary, and as annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from reframe_firecrest.cli.main import app
from reframe_firecrest.commands.report.github import MOST_ANNOTATIONS, error_commands, summary
from reframe_firecrest.commands.report.model import Report, report_of
from reframe_firecrest.commands.report.reframe_report import ReframeReport
from tests.commands.report.test_history import night, shown
from tests.commands.report.test_page import HOSTILE
from tests.commands.report.worlds import case, results


def report(*cases: dict[str, Any]) -> Report:
    return report_of(None, ReframeReport.model_validate(results(cases)))


def failed(name: str = "t1", reason: str = "no 'right' in the output") -> dict[str, Any]:
    return case(name, result="fail", fail_phase="sanity", fail_reason=reason)


def test_a_failed_test_is_an_error_and_a_row() -> None:
    one = report(case("t2"), failed())
    assert list(error_commands(one)) == ["::error title=t1 @alps%3Agpu+gnu::sanity: no 'right' in the output"]
    assert "### 1 of 2 tests failed" in summary(one)
    assert "| ✗ | t1<br>alps\\:gpu\\+gnu | sanity | no 'right' in the output |  |" in summary(one)


def test_a_run_that_passed_has_no_annotation_and_no_table() -> None:
    one = report(case("t1"))
    assert list(error_commands(one)) == []
    assert summary(one) == "### All 1 test passed\n\n"


def test_github_gets_as_many_as_it_shows() -> None:
    one = report(*(failed(f"t{number}") for number in range(250)))
    assert len(list(error_commands(one))) == MOST_ANNOTATIONS
    assert summary(one).count("| ✗ |") == 200
    assert "50 more failed." in summary(one)
    assert len(summary(report(*(failed(f"t{number}", "x" * 4000) for number in range(250))))) < 2**20


@pytest.mark.parametrize(
    "text", [HOSTILE, "a\n::set-output name=x::y", "a,b:c%0A", "x|y", "[a](javascript:x)"]
)
def test_the_output_of_a_test_stays_text(text: str) -> None:
    one = report(failed(text, text))
    [line] = error_commands(one)
    assert "\n" not in line
    assert line.startswith("::error title=")
    title, _, _ = line.removeprefix("::error title=").partition("::")
    assert not set(":,\r\n") & set(title)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(summary(one))
    for tag in ("<script", "<img", "<a "):
        assert tag not in html
    assert html.count("<td>") == 5


def test_figures_out_of_their_limits_and_since_when_a_test_fails() -> None:
    slow = {"alps:gpu:speed": [1.0, 10.0, -0.1, None, "GB/s", "fail"]}
    assert "| t1<br>alps\\:gpu\\+gnu | speed | 1 GB/s | 10 GB/s |" in summary(
        report(case("t1", perfvalues=slow))
    )
    text = summary(shown(night(0), night(1, "fail"), night(2, "fail")))
    assert "in 2 consecutive runs; it last passed on 2027\\-01\\-15" in text


def command(*arguments: str, **environment: str) -> Any:
    return CliRunner().invoke(app, ["annotate", *arguments], env=environment)


def test_the_command_appends_to_the_summary_of_the_job_without_secrets(tmp_path: Path) -> None:
    file, target = tmp_path / "report.json", tmp_path / "summary.md"
    file.write_text(json.dumps(results([failed(reason="token tr0ub4dor&3")])))
    target.write_text("before\n")
    variables = {
        "GITHUB_STEP_SUMMARY": str(target),
        "FIRECREST_JOURNAL_DIR": str(tmp_path),
        "FIRECREST_CLIENT_SECRET": "tr0ub4dor&3",
    }
    done = command("--report", str(file), **variables)
    assert done.exit_code == 0, done.output
    assert done.stdout == "::error title=t1 @alps%3Agpu+gnu::sanity: token [secret]\n"
    assert target.read_text().startswith("before\n### 1 of 1 test failed")
    assert "tr0ub4dor" not in target.read_text()


def test_the_command_names_what_is_missing(tmp_path: Path) -> None:
    assert command("--report", str(tmp_path / "nosuch.json")).exit_code == 2
    file = tmp_path / "report.json"
    file.write_text(json.dumps(results([case("t1")])))
    done = command("--report", str(file), "--summary", str(tmp_path), FIRECREST_JOURNAL_DIR=str(tmp_path))
    assert done.exit_code == 2
    assert "can't be written" in done.stderr
