"""Completion in bash, zsh and fish."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from reframe_firecrest.cli.main import app

RUNS = ("20270115-080000-host-0a1b2c", "20270116-080000-host-0a1b2c")


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ("bash", "complete -o default -F _reframe_firecrest_completion reframe-firecrest"),
        ("zsh", "#compdef reframe-firecrest"),
        ("fish", "complete --command reframe-firecrest"),
    ],
)
def test_the_script_of_each_shell_is_printed(shell: str, said: str) -> None:
    done = CliRunner().invoke(
        app,
        ["--show-completion", shell],
        prog_name="reframe-firecrest",
        # Otherwise it looks for the shell that the tests were started from.
        env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    printed = CliRunner().invoke(
        app, [], prog_name="reframe-firecrest", env={"_REFRAME_FIRECREST_COMPLETE": f"source_{shell}"}
    )
    assert said in done.stdout + printed.stdout


@pytest.mark.parametrize("command", ["clean", "status", "report"])
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_of_runs_are_completed(command: str, shell: str, tmp_path: Path) -> None:
    for name in (*RUNS, "20280101-000000-other-0a1b2c"):
        (tmp_path / f"{name}.alps.jsonl").touch()
    typed = f"reframe-firecrest {command} 2027"
    environment = {
        "_REFRAME_FIRECREST_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": typed,
        "COMP_CWORD": "2",
        "_TYPER_COMPLETE_ARGS": typed,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "FIRECREST_JOURNAL_DIR": str(tmp_path),
    }
    done = CliRunner().invoke(app, [], prog_name="reframe-firecrest", env=environment)
    for name in RUNS:
        assert name in done.stdout
    assert "20280101" not in done.stdout


def test_where_there_is_no_journal_nothing_is_completed(tmp_path: Path) -> None:
    environment = {
        "_REFRAME_FIRECREST_COMPLETE": "complete_bash",
        "COMP_WORDS": "reframe-firecrest clean ",
        "COMP_CWORD": "2",
        "FIRECREST_JOURNAL_DIR": str(tmp_path / "nothing"),
    }
    done = CliRunner().invoke(app, [], prog_name="reframe-firecrest", env=environment)
    assert (done.exit_code, done.stdout.strip()) == (0, "")
