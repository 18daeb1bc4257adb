"""The page of a real run says what ReFrame said, and what its jobs printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reframe_firecrest.cli.main import app
from tests.e2e.conftest import SUITE, ReFrame

pytestmark = pytest.mark.e2e


def report(directory: Path, *options: str) -> str:
    environment = {"FIRECREST_JOURNAL_DIR": str(directory / "journals")}
    done = CliRunner().invoke(app, ["report", *options], env=environment)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    return done.stdout


def test_a_run_with_failures_is_reported_with_its_outputs(reframe: ReFrame) -> None:
    place = reframe.directory
    journals = {"FIRECREST_JOURNAL_DIR": str(place / "journals")}
    outcome = reframe.run([str(SUITE / "verdicts.py")], "--max-retries=1", environment=journals)
    assert outcome.code == 1, outcome.output
    data: dict[str, Any] = json.loads(report(place, "--report", str(place / "report.json"), "--json"))
    tests = {test["name"]: test for test in data["tests"]}
    assert {name: test["verdict"] for name, test in tests.items()} == {
        "Good": "passed",
        "WrongOutput": "failed",
        "NonZeroExit": "failed",
        "NoSuchPartition": "failed",
        "DoesNotCompile": "failed",
    }
    assert {name: test["attempts"] for name, test in tests.items() if name != "Good"} == dict.fromkeys(
        ["WrongOutput", "NonZeroExit", "NoSuchPartition", "DoesNotCompile"], 2
    )
    for attempt in (outcome.report["runs"][0], outcome.report["runs"][1]):
        for case in attempt["testcases"]:
            if case["display_name"] != "NoSuchPartition" and case["jobid"]:
                assert case["jobid"] in tests[case["display_name"]]["jobs"]
    assert [span["part"] for span in tests["Good"]["spans"]] == ["staging", "queue", "run", "retrieval"]
    assert [span["part"] for span in tests["WrongOutput"]["spans"]].count("run") == 2
    printed = {
        failure["test"]["name"]: "".join(output["text"] for output in failure["outputs"])
        for failure in data["failures"]
    }
    assert "bad" in printed["WrongOutput"]
    assert "nonsense" in printed["DoesNotCompile"]
    assert tests["DoesNotCompile"]["phase"].startswith("compile")
    assert tests["NoSuchPartition"]["jobs"] == []
    assert "nvalid partition" in tests["NoSuchPartition"]["reason"]
    [session] = data["sessions"]
    assert session["requests"] > 0

    page = report(place, "--report", str(place / "report.json"), "--output", "-")
    assert "4 of 5 tests failed" in page
    assert reframe.gateway.variables.get("FIRECREST_CLIENT_SECRET", "?" * 9) not in page

    alone = json.loads(report(place, "--json"))
    assert alone["run"] == data["run"]
    assert {test["verdict"] for test in alone["tests"]} == {"ended", "failed"}
