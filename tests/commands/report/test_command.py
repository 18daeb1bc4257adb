"""`reframe-firecrest report` at the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reframe_firecrest.cli.main import app
from tests.commands.report.conftest import Journals, Written
from tests.commands.report.worlds import RUN, case, lived, opened, results, write_world

Command = Callable[..., Any]
SECRET = "top<secret>value"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    environment = {"FIRECREST_JOURNAL_DIR": str(tmp_path / "journals"), "FIRECREST_API_KEY": SECRET}
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Any:
        return CliRunner().invoke(app, ["report", *map(str, arguments)], env=environment)

    return run


@pytest.fixture
def run(journal: Journals) -> str:
    journal([opened(), *lived(1, begin=1, staging=1, queue=1, run=1, retrieval=1)])
    return RUN


def test_the_newest_run_becomes_a_page_in_the_directory_one_is_in(
    run: str, command: Command, tmp_path: Path
) -> None:
    done = command()
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("report.html: 1 test, ")
    assert f"{run}" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_journal_and_report_find_each_other(
    run: str, command: Command, written: Written, tmp_path: Path
) -> None:
    done = command("--report", written(results([case("t1")])), "--output", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "All 1 test passed" in page
    assert run in page


def test_a_report_without_its_journal_is_shown_and_that_is_reported(
    command: Command, written: Written
) -> None:
    done = command("--report", written(results([case("t1")])), "--output", "-")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("<!doctype html>")
    [line] = done.stderr.splitlines()
    assert "there is no journal of this report's run" in line


def test_a_script_gets_all_of_it(run: str, command: Command, written: Written, tmp_path: Path) -> None:
    done = command(
        run[:-3], "--report", written(results([case("t1", result="fail", fail_reason="why")])), "--json"
    )
    data = json.loads(done.stdout)
    assert (data["run"], data["verdicts"]) == (run, {"failed": 1})
    assert data["failures"][0]["test"]["reason"] == "why"
    assert data["tests"][0]["spans"][0]["part"] == "staging"
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("arguments", [["--output", "-"], ["--json"]])
def test_no_secret_is_in_it(
    arguments: list[str], run: str, command: Command, written: Written, tmp_path: Path
) -> None:
    (tmp_path / "rfm_job.out").write_text(f"FIRECREST_API_KEY={SECRET}\n")
    failed = case("t1", result="fail", fail_reason=f"not found: {SECRET}")
    printed = case("t2", result="fail", stagedir=str(tmp_path))
    done = command("--report", written(results([failed, printed])), *arguments)
    assert done.exit_code == 0, done.output
    assert "FIRECREST_API_KEY=[secret]" in done.stdout
    assert "not found: [secret]" in done.stdout
    for needle in ("secret&gt;value", "secret>value", "cmdline-secret"):
        assert needle not in done.stdout


def test_a_large_run_is_a_page_of_less_than_two_megabytes(command: Command, tmp_path: Path) -> None:
    _, report = write_world(tmp_path, 1000)
    done = command("--report", report)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("report.html: 1000 tests, ")
    assert (tmp_path / "report.html").stat().st_size < 2_000_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is no run in "),
        (["nobody"], "there is no run 'nobody' in "),
        (["--report", "nothing.json"], "nothing.json can't be read: No such file or directory"),
        (["--json", "--output", "x"], "--json excludes --output"),
    ],
)
def test_what_can_not_be_shown_is_reported_in_one_line(
    arguments: list[str], said: str, command: Command
) -> None:
    done = command(*arguments)
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("reframe-firecrest report: ")
    assert said in line


def test_a_page_that_can_not_be_written_is_named(run: str, command: Command) -> None:
    done = command("--output", "no/such/page.html")
    assert done.exit_code == 2
    assert (
        done.stderr
        == "reframe-firecrest report: no/such/page.html can't be written: No such file or directory\n"
    )
