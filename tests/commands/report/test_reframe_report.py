"""ReFrame's report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reframe_firecrest.commands.report.reframe_report import read_reframe_report
from reframe_firecrest.model.errors import ReportError
from tests.commands.report.worlds import case, results


def write(directory: Path, text: str) -> Path:
    file = directory / "report.json"
    file.write_text(text)
    return file


def test_what_a_test_leaves_undefined_is_not_known(tmp_path: Path) -> None:
    wild = case(
        "t", job_nodelist="<undefined>", jobid="<undefined>", job_exitcode="<undefined>", own=object.__doc__
    )
    [one] = read_reframe_report(write(tmp_path, json.dumps(results([wild])))).runs
    [found] = one.testcases
    assert (found.job_nodelist, found.jobid, found.job_exitcode) == (None, None, None)


def test_figures_are_read_with_and_without_a_verdict(tmp_path: Path) -> None:
    values = {
        "alps:gpu:new": [1.5, 2.0, -0.1, None, "s", "fail"],
        "alps:gpu:old": [1.5, 2.0, -0.1, None, "s"],
        "alps:gpu:none": [None, 2.0, None, 0.1, None, None],
    }
    [one] = read_reframe_report(write(tmp_path, json.dumps(results([case("t", perfvalues=values)])))).runs
    new, old, none = one.testcases[0].perfvalues.values()
    assert (new.value, new.reference, new.lower, new.upper, new.unit, new.result) == (
        1.5,
        2.0,
        -0.1,
        None,
        "s",
        "fail",
    )
    assert old.result is None
    assert (none.value, none.upper, none.unit) == (None, 0.1, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Invalid JSON"),
        ("[]", "is not a JSON report of ReFrame"),
        ('{"runs": [], "session_info": {}}', "session_info.time_start_unix: Field required"),
        (
            '{"session_info": {"time_start_unix": 1, "time_end_unix": 2}, "runs": ["secret"]}',
            "runs.0: Input should be an object",
        ),
    ],
)
def test_what_is_no_report_is_reported_in_one_line_without_what_it_holds(
    text: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(ReportError) as caught:
        read_reframe_report(write(tmp_path, text))
    assert why in str(caught.value)
    assert "--report-file" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"nothing.json can't be read: No such file"):
        read_reframe_report(tmp_path / "nothing.json")
