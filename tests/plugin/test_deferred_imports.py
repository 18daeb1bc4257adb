"""Which modules are imported, and when."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from reframe.core.exceptions import ConfigError

import reframe_firecrest  # noqa: F401 - registers the backends
from reframe_firecrest.plugin import deferred_imports
from reframe_firecrest.plugin.remote_session import RemoteSession
from tests.conftest import PROJECT

ONLY_RUNS = {
    *("anyio", "asyncio", "firecrest", "httpcore", "httpx", "pydantic", "pydantic_core", "rich"),
    *("reframe_firecrest.gateway", "reframe_firecrest.journal", "reframe_firecrest.settings"),
    *("reframe_firecrest.plugin.remote_session", "reframe_firecrest.session.session"),
}
"""Modules that only a run needs. ReFrame itself imports none of them."""


def python(program: str, *arguments: str, cwd: Path) -> str:
    """Run a program in a Python of its own; return what it prints."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("FIRECREST_")}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env=variables,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "action",
    [["-l"], ["-L"], ["--describe"], ["--dry-run"], ["--ci-generate=pipeline.yml"]],
    ids=lambda action: action[0],
)
def test_what_does_not_run_tests_imports_nothing_of_a_run(action: list[str], tmp_path: Path) -> None:
    program = """
import sys
from reframe.frontend.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end
import reframe_firecrest
print("modules:", *sorted(sys.modules))
"""
    files = ["-C", str(PROJECT / "config/sandbox.py"), "-c", str(PROJECT / "checks/hello.py")]
    printed = python(program, *files, "--prefix", str(tmp_path), *action, cwd=tmp_path)
    modules = {*printed.splitlines()[-1].split()}
    assert "reframe_firecrest.plugin.scheduler" in modules
    assert sorted(ONLY_RUNS & modules) == []


OPEN_A_GATEWAY = """
import asyncio
from reframe_firecrest.plugin import deferred_imports
import sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path and path != PROJECT]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
path = [*sys.path]
print(deferred_imports.remote_session().__name__)
assert sys.path == path
from reframe_firecrest.gateway.http.connection import Connection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.v2.gateway import GatewayV2
from reframe_firecrest.settings import Settings
from reframe_firecrest.model.errors import GatewayError
settings = Settings.model_validate({
    "url": "http://127.0.0.1:9", "token_url": "http://127.0.0.1:9", "client_id": "me",
    "client_secret": "x", "system": "s", "basedir": "/b"})
async def work():
    gateway = GatewayV2(Connection(settings, RetryPolicy(first_contact=0)))
    try:
        await gateway.connect()
    except GatewayError as error:
        print(error)
    await gateway.close()
asyncio.run(work())
from reframe_firecrest.gateway.field_types import Answer
models = Answer.__subclasses__()
built = [model for model in models if model.__pydantic_complete__]
assert all(model.model_rebuild(force=True) for model in models)
print(f"{len(built)} of {len(models)} validators built")
"""


def test_a_run_needs_no_import_path_of_its_own(tmp_path: Path) -> None:
    """ReFrame may have removed site-packages from `sys.path` before the first request."""
    printed = python(f"PROJECT = {str(PROJECT)!r}\n{OPEN_A_GATEWAY}", cwd=tmp_path)
    assert "RemoteSession" in printed
    assert "can't be reached" in printed
    assert "0 of " in printed.splitlines()[-1]


def test_a_stage_directory_has_no_part_in_the_imports(tmp_path: Path) -> None:
    """The first job is submitted in its stage directory, which may contain any file."""
    stage, start = tmp_path / "stage", tmp_path / "start"
    stage.mkdir()
    start.mkdir()
    (stage / "httpx.py").write_text("raise AssertionError('imported from the stage directory')")
    program = """
import os, sys
assert sys.path[0] == ""
from reframe_firecrest.plugin import deferred_imports
os.chdir(sys.argv[1])
print(deferred_imports.remote_session().__name__)
"""
    assert "RemoteSession" in python(program, str(stage), cwd=start)


def test_a_missing_package_ends_the_run_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError(f"No module named 'httpx', for {name}")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(ConfigError, match=r"No module named 'httpx'.*pip install --force-reinstall"):
        deferred_imports.remote_session()


def test_what_is_imported_later_is_the_class_itself() -> None:
    assert deferred_imports.remote_session() is RemoteSession


def test_the_garbage_collector_does_not_examine_what_reframe_has_loaded(tmp_path: Path) -> None:
    program = """
import gc
import reframe.frontend.cli
import reframe_firecrest
assert gc.get_freeze_count() > 10_000, gc.get_freeze_count()
from reframe_firecrest.plugin import deferred_imports
def passes():
    return sum(generation["collections"] for generation in gc.get_stats())
before = passes()
deferred_imports.remote_session()
assert passes() <= before + 1, passes()
assert gc.isenabled()
"""
    python(program, cwd=tmp_path)


def test_a_file_that_a_test_leaves_open_is_written_at_exit(tmp_path: Path) -> None:
    program = """
import reframe_firecrest
class Test: pass
test = Test()
test.itself, test.file = test, open("left-open", "w")
test.file.write("everything")
"""
    python(program, cwd=tmp_path)
    assert (tmp_path / "left-open").read_text() == "everything"
