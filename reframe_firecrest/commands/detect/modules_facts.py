"""Read the output of the job that records modules. Pure functions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from reframe_firecrest.model.errors import DetectionError
from reframe_firecrest.modules.names import MAX_NAMES, is_directory, is_module, is_version
from reframe_firecrest.modules.snapshot import KINDS, ModuleLoad, ModulesState, Snapshot

_VERSIONS = {
    # Lmod, Environment Modules 4 and later, 3 and earlier, Spack
    "lmod": re.compile(r"Version\s*(\S+)"),
    "envmod": re.compile(r"(?:Modules Release |VERSION=)\s*(\S+)"),
    "spack": re.compile(r"(\S+)"),
}


class NoModulesSystemError(DetectionError):
    """There is no modules system."""


@dataclass
class _Output:
    """The lines of the output, sorted."""

    lines: dict[str, list[str]]
    loads: list[tuple[str, list[str]]]
    conflicts: dict[str, list[str]]


def parse_modules(text: str, partition: str, environ: str, taken: datetime) -> Snapshot:
    """Return the snapshot that a job has printed.

    Args:
        text: the output: each line is a key, a colon and a value.
        partition: ReFrame's name of the partition.
        environ: ReFrame's name of the environment.
        taken: the current time.

    Raises:
        DetectionError: the output is incomplete, there is no modules system, or a module was not loaded.
    """
    output = _sort(text)
    kind = _only(output, "kind")
    if kind not in KINDS:
        if output.lines["login"]:
            raise DetectionError(
                "only login shells have 'module' on the system; set 'use_login_shell' to True"
            )
        raise NoModulesSystemError("jobs on the system have neither 'module' nor 'spack'")
    if output.lines["failed"]:
        names = ", ".join(filter(is_module, output.lines["failed"]))
        raise DetectionError(
            f"loading failed: {names}; correct 'modules' of the environment or the partition"
        )
    if "end" not in output.lines:
        raise DetectionError("the list of modules is incomplete")
    return Snapshot(
        partition,
        environ,
        taken,
        kind,
        _version(output, kind),
        _state(output, "before"),
        tuple(ModuleLoad(name, _modules(loaded)) for name, loaded in output.loads),
        _state(output, "after"),
        _conflicts(output),
        _modules(output.lines["uninspected"]),
    )


def _sort(text: str) -> _Output:
    output = _Output(defaultdict(list), [], defaultdict(list))
    inspected = ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        value = value.strip()
        if key == "load":
            output.loads.append((value, []))
        elif key == "load.loaded" and output.loads:
            output.loads[-1][1].append(value)
        elif key == "inspected":
            inspected = value
        elif key == "conflict":
            output.conflicts[inspected].append(value)
        else:
            output.lines[key].append(value)
    return output


def _only(output: _Output, key: str) -> str:
    values = output.lines[key]
    if len(values) != 1:
        raise DetectionError("the list of modules is incomplete")
    return values[0]


def _version(output: _Output, kind: str) -> str:
    for line in output.lines["version"]:
        match = _VERSIONS[kind].search(line)
        if match and is_version(match[1]):
            return match[1]
    return ""


def _state(output: _Output, name: str) -> ModulesState:
    path = ":".join(output.lines[f"{name}.modulepath"]).split(":")
    return ModulesState(
        tuple(directory for directory in path if is_directory(directory)),
        _modules(output.lines[f"{name}.loaded"]),
        _modules(map(_without_annotations, output.lines[f"{name}.available"])),
    )


def _without_annotations(line: str) -> str:
    """Return the name in a line of a list, such as ``gcc/12.2(default)``; headings end with a colon."""
    return "" if line.endswith(":") else re.sub(r"\([^)]*\)", "", line).strip()


def _modules(names: Iterable[str]) -> tuple[str, ...]:
    """Return valid names; other lines are messages of the modules system."""
    found = [name for name in names if is_module(name)]
    if len(found) > MAX_NAMES:
        raise DetectionError(f"the system lists more than {MAX_NAMES} modules")
    return tuple(found)


def _conflicts(output: _Output) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for module, lines in output.conflicts.items():
        names = _modules(dict.fromkeys(word for line in lines for word in _words(line)))
        if names and is_module(module):
            found[module] = names
    return found


def _words(line: str) -> list[str]:
    """Return the arguments of a conflict command in the syntax of Tcl or Lua."""
    return re.findall(r"[^\s()\"',]+", line)
