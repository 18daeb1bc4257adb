"""`reframe-firecrest demo`, also from an installed package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from typer.testing import CliRunner

from reframe_firecrest.cli import demo as command
from reframe_firecrest.cli.main import app
from reframe_firecrest.commands.demo import demo
from reframe_firecrest.model.errors import DemoError, ReportError
from tests.commands.report.worlds import case, results
from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what a wheel of this project installs, away from the repository."""
    directory = tmp_path_factory.mktemp("installed")
    [wheel] = WheelBuilder(str(PROJECT)).build(directory=str(directory / "dist"), versions=["standard"])
    place = directory / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--target", str(place), wheel], timeout=120, check=True)
    return place


def test_a_wheel_has_the_samples_and_the_template(installed: Path) -> None:
    package = installed / "reframe_firecrest"
    assert (package / "_demo" / "sandbox.py").read_bytes() == (PROJECT / "config" / "sandbox.py").read_bytes()
    shipped = {path.name for path in (package / "_demo" / "checks").rglob("*.py")}
    assert shipped == {path.name for path in (PROJECT / "checks").rglob("*.py")}
    hello = package / "_demo" / "checks" / "src" / "hello" / "hello.sh"
    assert hello.read_bytes() == (PROJECT / "checks" / "src" / "hello" / "hello.sh").read_bytes()
    assert (package / "commands" / "report" / "template" / "page.html.j2").is_file()


@pytest.mark.e2e
def test_it_runs_from_an_installed_package_in_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    if os.environ.get("FIRECREST_URL") or os.environ.get("SANDBOX_RUNNER") == "slurm":
        pytest.skip("it starts a sandbox of its own")
    command = [sys.executable, "-c", "from reframe_firecrest.cli.main import main; main()", "demo"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "FIRECREST_ACCOUNT": "another",
        "RFM_SYSTEM": "another",
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    place = tmp_path / "reframe-firecrest-demo"
    [run] = json.loads((place / "report.json").read_text())["runs"]
    assert run["num_cases"] == len(run["testcases"]) > 5
    assert {case["result"] for case in run["testcases"]} == {"pass"}
    assert all(str(installed) in case["filename"] for case in run["testcases"])
    assert f"All {run['num_cases']} tests passed" in (place / "report.html").read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [place]
    names = {"journals", "logs", "reframe", "report.json", "report.html"}
    assert {path.name for path in place.iterdir()} == names
    [log] = re.findall(r"^Log file\(s\) saved in '(.*)'$", done.stdout, re.MULTILINE)
    assert Path(log).is_file()
    assert done.stdout.splitlines()[-1] == "page: reframe-firecrest-demo/report.html"


def test_beside_a_package_that_is_installed_in_place_the_repositorys_samples_are_taken() -> None:
    found = demo.samples()
    assert (found.settings, found.checks) == (PROJECT / "config" / "sandbox.py", PROJECT / "checks")


def test_without_samples_there_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "files", lambda _: tmp_path / "reframe_firecrest")
    with pytest.raises(DemoError, match="install reframe-firecrest again"):
        demo.samples()
    done = CliRunner().invoke(app, ["demo", "--directory", str(tmp_path / "place")])
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "reframe_firecrest.commands.demo.demo.COMPILER",
            "no-such-compiler",
            "C compiler 'no-such-compiler'",
        ),
        # It exists, but does not find the C library's header files.
        ("reframe_firecrest.commands.demo.demo.COMPILER", "false", "header files of the C library"),
        ("firecrest_sandbox.extra.MODULES", ("no_such",), "[sandbox]'"),
    ],
)
def test_what_is_missing_is_reported_in_one_line(
    name: str, value: object, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(name, value)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["demo"])
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("reframe-firecrest demo: ")
    assert said in line
    assert not list(tmp_path.iterdir())


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["demo", "--directory", str(tmp_path / "file")])
    assert done.exit_code == 2
    assert done.stderr == f"reframe-firecrest demo: {tmp_path / 'file'}: File exists\n"


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize(
    "error", [ReportError("no report"), PermissionError(13, "Permission denied"), ValueError()]
)
def test_tests_that_passed_do_not_fail_for_want_of_a_page(
    code: int, error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: Path) -> None:
        raise error

    monkeypatch.setattr(command, "run_demo", lambda _: code)
    monkeypatch.setattr(command, "read_reframe_report", fail)
    done = CliRunner().invoke(app, ["demo", "--directory", str(tmp_path)])
    assert done.exit_code == code
    [line] = done.stderr.splitlines()
    assert line.startswith("reframe-firecrest demo: warning: the page was not written: ")


def test_a_page_is_made_without_a_journal_that_can_not_be_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(directory: Path) -> int:
        demo.report_file(directory).write_text(json.dumps(results([case("t1")])))
        return 0

    monkeypatch.setattr(command, "run_demo", run)
    done = CliRunner().invoke(app, ["demo", "--directory", str(tmp_path)])
    assert done.exit_code == 0
    [line] = done.stderr.splitlines()
    assert "there is no journal of this report's run" in line
    assert "the page is written without it" in line
    assert "t1" in (tmp_path / "report.html").read_text(encoding="utf-8")
