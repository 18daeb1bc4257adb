"""Local directories of the tests' code: the checks, the packages that they import and the settings file.

Job scripts may name files in them, which the system does not have. ReFrame (4.10) imports checks and settings
files as Python modules, so that ``sys.modules`` has all of them.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import reframe.core.runtime as rt

_known: dict[int, tuple[str, ...]] = {}
"""The directories, by the number of modules at the time."""


def source_directories() -> tuple[str, ...]:
    """Return the directories, without those that another one contains."""
    number = len(sys.modules)
    if number not in _known:
        modules = [(name, getattr(module, "__file__", None)) for name, module in [*sys.modules.items()]]
        settings = [os.path.abspath(file) for file in settings_files()]  # noqa: PTH100 - links stay
        found = directories_of(modules) | {str(Path(file).parent) for file in settings}
        _known.clear()
        _known[number] = outermost(found)
    return _known[number]


def settings_files() -> list[str]:
    """Return the files that ReFrame's configuration was read from."""
    return [file for file in rt.runtime().site_config.sources if Path(file).is_file()]


def directories_of(modules: Iterable[tuple[str, object]]) -> set[str]:
    """Return the directories of modules.

    A package is represented by its outermost directory, an installed one by the directory of all installed
    packages. Python's own modules are left out.

    Args:
        modules: names and files; some have no file.
    """
    return {
        directory
        for name, file in modules
        if isinstance(file, str) and name != "__main__" and (directory := _directory_of(name, file))
    }


@cache
def _directory_of(name: str, file: str) -> str | None:
    """Return the directory that represents a module; None for one of Python's own.

    Submissions wait for this, and most modules are the same for all of them.
    """
    installed, own = _library_directories()
    if not Path(file).is_absolute():
        return None
    shared = next((directory for directory in installed if file.startswith(f"{directory}/")), None)
    if shared is not None:
        return shared
    if any(file.startswith(f"{directory}/") for directory in own):
        return None
    return _top(name, Path(file))


@cache
def _library_directories() -> tuple[set[str], set[str]]:
    """Return the directories of installed packages, and those of Python's own modules."""
    paths = sysconfig.get_paths()
    installed = {*site.getsitepackages(), site.getusersitepackages(), paths["purelib"], paths["platlib"]}
    return installed, {paths["stdlib"], paths["platstdlib"]}


def _top(name: str, file: Path) -> str:
    """Return the outermost directory of a module's package, or else the module's own."""
    parts = name.split(".")
    module = file.parent if file.stem == "__init__" else file.with_suffix("")
    is_in_package = file.stem == "__init__" or len(parts) > 1
    if is_in_package and module.parts[-len(parts) :] == tuple(parts):
        return str(module.parents[len(parts) - 1] / parts[0])
    return str(file.parent)


def outermost(directories: Iterable[str]) -> tuple[str, ...]:
    """Return those of the directories that no other one contains."""
    found: list[str] = []
    for directory in sorted(set(directories)):
        if not any(directory.startswith(f"{above}/") for above in found):
            found.append(directory)
    return tuple(found)
