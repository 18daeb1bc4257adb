"""The directories of the tests' code follow from what ReFrame has imported."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from reframe_firecrest.plugin.source_directories import directories_of, outermost

SITE = sysconfig.get_paths()["purelib"]
STDLIB = sysconfig.get_paths()["stdlib"]


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("hello", "/suite/checks/hello.py", "/suite/checks"),
        ("mangled_3f", "/suite/checks/hello.py", "/suite/checks"),
        ("checks.sub.hello", "/suite/checks/sub/hello.py", "/suite/checks"),
        ("mangled.name", "/suite/checks/hello.py", "/suite/checks"),
        ("checks", "/suite/checks/__init__.py", "/suite/checks"),
        ("eessi.testsuite", f"{SITE}/eessi/testsuite/__init__.py", SITE),
        ("six", f"{SITE}/six.py", SITE),
        ("json.decoder", f"{STDLIB}/json/decoder.py", None),
        ("__main__", "/suite/bin/reframe", None),
        ("builtin", None, None),
        ("relative", "checks/hello.py", None),
    ],
)
def test_the_directory_of_a_module(name: str, file: str | None, expected: str | None) -> None:
    assert directories_of([(name, file)]) == ({expected} if expected else set())


def test_a_package_is_represented_by_its_outermost_directory(tmp_path: Path) -> None:
    package = tmp_path / "suite" / "tests"
    package.mkdir(parents=True)
    modules = [
        ("suite.tests", str(package / "__init__.py")),
        ("suite.tests.hello", str(package / "hello.py")),
    ]
    assert directories_of(modules) == {str(tmp_path / "suite")}


def test_a_directory_in_another_is_left_out() -> None:
    assert outermost(["/a/b", "/a", "/ab", "/c/d"]) == ("/a", "/ab", "/c/d")
