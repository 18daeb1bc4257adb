"""Effects of importing the package, and permitted imports between the packages."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from reframe.core.backends import getlauncher, getscheduler
from reframe.core.exceptions import ConfigError, ReframeError
from reframe.core.schedulers.slurm import SlurmJobScheduler
from reframe.utility import import_module_from_file

import firecrest_sandbox
import reframe_firecrest
from reframe_firecrest.plugin import job, registration
from reframe_firecrest.plugin.launcher import FirecrestSrun
from reframe_firecrest.plugin.scheduler import FirecrestScheduler

PACKAGE = Path(reframe_firecrest.__file__).parent
SERVER = PACKAGE.parent / "firecrest_sandbox"
COMMANDS = ("child_pipeline", "clean", "demo", "detect", "doctor", "history", "report", "status")
PACKAGES = (
    "cli",
    "commands",
    "gateway",
    "journal",
    "model",
    "modules",
    "plugin",
    "session",
    "settings",
    "staging",
)
UPPER = ("cli", "commands", "plugin", "session")


def python(program: str, *arguments: str) -> str:
    """Run a program in a Python of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_reframe_finds_scheduler_and_launcher_by_name() -> None:
    assert getscheduler("firecrest-scheduler") is FirecrestScheduler
    assert issubclass(FirecrestScheduler, SlurmJobScheduler)
    assert getlauncher("firecrest-srun") is FirecrestSrun


def test_suites_that_branch_on_srun_take_the_launcher_for_it() -> None:
    assert getlauncher("firecrest-srun")().registered_name == "srun"
    assert FirecrestSrun.registered_name == "srun"
    assert getlauncher("srun") is not FirecrestSrun


def test_importing_again_registers_nothing_again() -> None:
    python("import reframe_firecrest, importlib; importlib.reload(reframe_firecrest)")


def test_reframe_would_refuse_a_second_registration() -> None:
    with pytest.raises((ConfigError, ReframeError)):
        import_module_from_file(registration.__file__, force=True)


def test_restoring_a_session_may_import_the_jobs_module_by_its_file() -> None:
    assert job.__file__ is not None
    again = import_module_from_file(job.__file__, force=True)
    assert again.FirecrestJob.__name__ == "FirecrestJob"
    assert getscheduler("firecrest-scheduler") is FirecrestScheduler


def test_no_network_and_no_settings_are_needed_to_import() -> None:
    program = """
import os, socket
for name in [name for name in os.environ if name.startswith(("FIRECREST_", "AUTH_"))]:
    del os.environ[name]
def refuse(*args, **kwargs):
    raise AssertionError("a connection")
socket.socket.connect = refuse
import reframe_firecrest, threading
assert threading.active_count() == 1, threading.enumerate()
"""
    python(program)


def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports, by their full names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files_of(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted(PACKAGE.glob(package))]


@pytest.mark.parametrize(
    ("packages", "never"),
    [
        (["model/*.py"], [f"reframe_firecrest.{package}" for package in PACKAGES if package != "model"]),
        (
            ["modules/*.py"],
            [f"reframe_firecrest.{package}" for package in PACKAGES if package not in ("model", "modules")],
        ),
        (["modules/*.py"], ["pydantic"]),
        (["journal/*.py", "settings/*.py"], [f"reframe_firecrest.{package}" for package in UPPER]),
        (["gateway/**/*.py"], [f"reframe_firecrest.{package}" for package in (*UPPER, "staging", "journal")]),
        (["staging/*.py"], [f"reframe_firecrest.{package}" for package in UPPER]),
        (["session/*.py"], [f"reframe_firecrest.{package}" for package in ("cli", "commands", "plugin")]),
        (["plugin/*.py", "session/*.py", "staging/*.py", "commands/**/*.py"], ["firecrest", "httpx"]),
        (["model/*.py", "modules/*.py", "gateway/**/*.py", "session/*.py", "staging/*.py"], ["reframe"]),
        (["gateway/v1/*.py"], ["reframe_firecrest.gateway.v2", "firecrest"]),
        (["gateway/v2/*.py"], ["reframe_firecrest.gateway.v1"]),
        (
            ["gateway/http/*.py", "gateway/auth/*.py", "gateway/object_storage/*.py"],
            [
                "reframe_firecrest.gateway.v1",
                "reframe_firecrest.gateway.v2",
                "reframe_firecrest.gateway.factory",
            ],
        ),
        (["plugin/job.py"], ["reframe_firecrest.plugin.registration"]),
        (["../firecrest_sandbox/**/*.py"], ["reframe", "firecrest", "reframe_firecrest"]),
    ],
)
def test_a_package_imports_only_permitted_ones(packages: list[str], never: list[str]) -> None:
    files = files_of(*packages)
    assert files
    for path in files:
        for name in imports_of(path):
            for forbidden in never:
                assert name != forbidden, f"{path.name} imports {name}"
                assert not name.startswith(f"{forbidden}."), f"{path.name} imports {name}"


def test_every_command_is_known_to_the_test_below() -> None:
    assert {path.parent.name for path in PACKAGE.glob("commands/*/__init__.py")} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_do_not_import_each_other(command: str) -> None:
    """Commands share code through a module of `commands` itself or a package below."""
    others = {f"reframe_firecrest.commands.{other}" for other in COMMANDS if other != command}
    for path in files_of(f"commands/{command}/**/*.py"):
        imported = {".".join(name.split(".")[:3]) for name in imports_of(path)}
        assert not imported & others, f"{path.name} imports {imported & others}"


def test_every_package_that_is_imported_is_declared() -> None:
    declared = {Requirement(text).name.lower() for text in requires("reframe-firecrest") or []}
    packages = {
        "ClusterShell": "clustershell",
        "firecrest": "pyfirecrest",
        "reframe": "reframe-hpc",
        "yaml": "pyyaml",
        "jwt": "pyjwt",
        "multipart": "python-multipart",
        "python_multipart": "python-multipart",
        # What the declared ones are made of.
        "starlette": "fastapi",
        "click": "typer",
        "typing_extensions": "pydantic",
    }
    for path in [*PACKAGE.rglob("*.py"), *SERVER.rglob("*.py")]:
        for name in imports_of(path):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or top in {"reframe_firecrest", "firecrest_sandbox"}:
                continue
            assert packages.get(top, top).lower() in declared, f"{path.name} imports {top}"


def test_the_server_can_still_be_imported_from_its_former_place() -> None:
    with pytest.warns(DeprecationWarning, match="is now firecrest_sandbox"):
        former = importlib.import_module("reframe_firecrest.sandbox")
    assert former.Sandbox is firecrest_sandbox.Sandbox
