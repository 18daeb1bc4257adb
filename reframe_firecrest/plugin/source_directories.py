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
    paths = sysconfig.get_paths()
    installed = {*site.getsitepackages(), site.getusersitepackages(), paths["purelib"], paths["platlib"]}
    own = {paths["stdlib"], paths["platstdlib"]}
    found = set()
    for name, file in modules:
        if name == "__main__" or not isinstance(file, str) or not Path(file).is_absolute():
            continue
        shared = next((directory for directory in installed if file.startswith(f"{directory}/")), None)
        if shared is not None:
            found.add(shared)
        elif not any(file.startswith(f"{directory}/") for directory in own):
            found.add(_top(name, Path(file)))
    return found


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
