"""Properties of all commands: help, exit codes, handling of errors."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from reframe_firecrest.cli.exit_codes import EXITS, Exit
from reframe_firecrest.cli.main import app

COMMANDS = sorted(EXITS)


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-c", "from reframe_firecrest.cli.main import main; main()"]
    environment = {**os.environ, "FIRECREST_JOURNAL_DIR": "/nowhere"}
    return subprocess.run(
        [*run, *arguments], capture_output=True, text=True, timeout=240, check=False, env=environment
    )


def test_every_command_has_its_exit_codes_in_the_table() -> None:
    assert sorted(info.name for info in app.registered_commands if info.name) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_and_every_exit_code(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120", "TERM": "dumb"}).stdout
    assert f"    reframe-firecrest {command}" in shown
    for code, meaning in EXITS[command].items():
        assert f"{code.value} {meaning}" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "reframe-firecrest: No such command 'nosuch'; see: reframe-firecrest --help"),
        (
            ["clean", "--nosuch"],
            "reframe-firecrest clean: No such option: --nosuch; see: reframe-firecrest clean --help",
        ),
        (["status", "a", "b"], "see: reframe-firecrest status --help"),
        (["doctor", "--timeout", "soon"], "reframe-firecrest doctor: Invalid value for '--timeout'"),
        (["status"], "reframe-firecrest status: there is no run in /nowhere"),
    ],
)
def test_what_is_wrong_is_reported_in_one_line(arguments: list[str], said: str) -> None:
    done = program(*arguments)
    assert (done.returncode, done.stdout) == (Exit.FAILED, "")
    [line] = done.stderr.splitlines()
    assert said in line


def test_without_a_command_there_is_help() -> None:
    done = program()
    assert done.returncode == Exit.FAILED
    assert done.stderr == ""
    for command in COMMANDS:
        assert command in done.stdout


def test_what_went_well_is_zero() -> None:
    assert program("--version").returncode == Exit.DONE
    assert program("clean", "--help").returncode == Exit.DONE
