"""`reframe-firecrest clean` at the terminal."""

from __future__ import annotations

import functools
import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from reframe_firecrest.cli import clean as command
from reframe_firecrest.cli.main import app
from reframe_firecrest.commands.clean.cleaner import Cleaner
from reframe_firecrest.journal.events import Prepared
from reframe_firecrest.model import errors
from tests.commands.clean.conftest import World, job
from tests.journal.processes import ELSEWHERE

Clean = Callable[..., Any]


@pytest.fixture
def clean(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clean]:
    connect = world.cleaner().connect
    monkeypatch.setattr(command, "Cleaner", functools.partial(Cleaner, connect=connect))
    world.environment["FIRECREST_JOURNAL_DIR"] = str(world.journals)
    handler = signal.getsignal(signal.SIGTERM)
    environment: dict[str, str | None] = {"FIRECREST_URL": None, "FIRECREST_BASEDIR": None}

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["clean", *arguments], env={**environment, **world.environment})

    yield run
    signal.signal(signal.SIGTERM, handler)


def test_what_was_done_is_reported(world: World, clean: Clean) -> None:
    session_log = world.run("aaaaaa")
    root = session_log.opened.root
    jobs = [world.system.run_job(world.base / root) for _ in range(2)]
    alive = world.run("bbbbbb", alive=True)
    done = clean("--all")
    assert done.exit_code == 0, done.output
    heard = time.strftime("%Y-%m-%d %H:%M", time.localtime(alive.last))
    whose = f"process 7 on {alive.opened.host}, last sign of life at {heard}"
    assert done.stdout.splitlines() == [
        f"{alive.opened.run}: skipped: it is still running ({whose})",
        f"{session_log.opened.run}: cancelled on 'daint': {' '.join(jobs)}",
        f"{session_log.opened.run}: removed on 'daint': {root}",
    ]
    assert done.stderr == ""


def test_what_would_be_done_is_reported(world: World, clean: Clean) -> None:
    session_log = world.run("aaaaaa")
    other = world.run("bbbbbb", directory=False)
    job = world.system.run_job(world.base / session_log.opened.root)
    done = clean("--all", "--dry-run")
    assert done.exit_code == 0
    assert set(done.stdout.splitlines()) == {
        f"{session_log.opened.run}: would be cancelled on 'daint': {job}",
        f"{session_log.opened.run}: would be removed on 'daint': {session_log.opened.root}",
        f"{other.opened.run}: nothing left on 'daint'",
    }
    assert world.system.cancelled == []


def test_what_failed_is_reported_with_the_remedy(world: World, clean: Clean) -> None:
    session_log = world.run("aaaaaa")
    job = world.system.run_job(world.base / session_log.opened.root)
    world.system.failures["cancel"] = [errors.ForbiddenError("Access denied")]
    refused = world.run("bbbbbb", root="/")
    done = clean("--all")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        (
            f"{session_log.opened.run}: job {job} may still be queued or running; "
            f"cancel it with: scancel {job} (Access denied)"
        ),
        f"{session_log.opened.run}: {session_log.opened.root} was not removed: jobs may be using it",
        done.stderr.splitlines()[-1],
    ]
    assert done.stderr.splitlines()[-1].startswith(f"{refused.opened.run}: / was not removed: it is not in")


def test_a_script_gets_all_of_it(world: World, clean: Clean) -> None:
    session_log = world.run("aaaaaa")
    job = world.system.run_job(world.base / session_log.opened.root)
    done = clean(session_log.opened.run, "--json", "--forget")
    assert json.loads(done.stdout) == {
        "dry_run": False,
        "complete": True,
        "runs": [
            {
                "run": session_log.opened.run,
                "url": session_log.opened.url,
                "system": "daint",
                "directory": session_log.opened.root,
                "cancelled": [job],
                "left": [],
                "removed": True,
                "problems": [],
            }
        ],
        "skipped": [],
        "refused": [],
        "journals_deleted": [session_log.opened.run],
        "never_created": [],
        "dropped": [],
    }


def test_what_is_forgotten_is_reported(world: World, clean: Clean) -> None:
    empty = world.run("aaaaaa", Prepared(time=1.0, outcome="refused"), tells_creation=True, directory=False)
    dropped = world.run("bbbbbb", job(1, "submitted", "77"))
    left = f"{dropped.opened.root} on 'daint' at {dropped.opened.url}, and jobs: 77"
    lines = [
        f"{empty.opened.run}: it never created anything; its journal was deleted",
        f"{dropped.opened.run}: its journal was deleted, nothing was cleaned up; may be left: {left}",
    ]
    dry = clean("--all", "--forget", "--offline", "--dry-run")
    assert dry.stdout.splitlines() == [line.replace("was deleted", "would be deleted") for line in lines]
    done = clean("--all", "--forget", "--offline")
    assert (done.exit_code, done.stdout.splitlines(), done.stderr) == (0, lines, "")
    assert not list(world.journals.iterdir())


def test_a_run_that_may_be_alive_is_reported_with_the_way_to_clean_it_up(world: World, clean: Clean) -> None:
    unknown = world.run("aaaaaa", **ELSEWHERE)
    done = clean("--all")
    assert done.exit_code == 0
    assert "skipped: could not determine whether it is running" in done.stdout
    assert f"reframe-firecrest clean {unknown.opened.run} --force" in done.stdout
    assert clean(unknown.opened.run).exit_code == 2
    assert clean(unknown.opened.run, "--force").exit_code == 0


def test_nothing_to_do_is_no_failure_and_needs_no_settings(world: World, clean: Clean) -> None:
    world.environment["FIRECREST_CLIENT_ID"] = ""
    done = clean("--older-than", "3d")
    assert (done.exit_code, done.stdout) == (0, "nothing to clean up\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give exactly one of RUN, --all and --older-than"),
        (["x", "--all"], "give exactly one of"),
        (["--all", "--older-than", "1d"], "give exactly one of"),
        (["--remote"], "--remote requires --older-than"),
        (["--remote", "--older-than", "1d", "--all"], "excludes RUN and --all"),
        (["--all", "--offline"], "--offline requires --forget"),
        (["--remote", "--older-than", "1d", "--forget", "--offline"], "--offline requires --forget"),
        (["--all", "--force"], "--force requires RUN"),
        (["--older-than", "yesterday"], "--older-than: 'yesterday' is not an age"),
        (["nobody"], "there is no run 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(arguments: list[str], said: str, clean: Clean) -> None:
    done = clean(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("reframe-firecrest clean: ")
    assert said in line


def test_a_setting_that_is_missing_is_named(world: World, clean: Clean) -> None:
    session_log = world.run("aaaaaa")
    world.environment["AUTH_TOKEN_URL"] = ""
    done = clean("--all")
    assert done.exit_code == 2
    assert "'token_url' is missing" in done.stderr
    assert str(session_log.path) in done.stderr
    assert "tr0ub4dor" not in done.output


def test_help_explains_the_exit_codes(clean: Clean) -> None:
    done = clean("--help")
    assert done.exit_code == 0
    assert "Exit codes: 0 everything was removed, or there was nothing to clean up 1" in " ".join(
        done.stdout.split()
    )
