"""The file with the snapshots of one system. It may come from a cache or a repository, so it is validated."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from reframe_firecrest.model.atomic import atomic_write
from reframe_firecrest.model.errors import ModulesError
from reframe_firecrest.modules.names import MAX_NAMES, is_directory, is_module, is_version
from reframe_firecrest.modules.snapshot import KINDS, ModuleLoad, ModulesState, Snapshot

FORMAT = 1
"""Version of the format. A file of another version is refused, not guessed at."""

MAX_SIZE = 64 << 20
"""Largest size of a file, in bytes; 10,000 modules take about 1 MB for each environment."""


def snapshot_file(directory: Path, system: str) -> Path:
    """Return the path of a system's file."""
    return directory / f"{system}.modules.json"


def read_snapshots(file: Path) -> list[Snapshot]:
    """Return the snapshots in a file; none if the file does not exist.

    Raises:
        ModulesError: the file can't be read or is not valid.
    """
    try:
        size = file.stat().st_size
        if size > MAX_SIZE:
            raise ModulesError(
                f"{file} is larger than {MAX_SIZE >> 20} MiB; remove it, and take a new snapshot"
            )
        data = json.loads(file.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ModulesError(f"{file} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ModulesError(_invalid(file, "it is not JSON")) from None
    return _snapshots(file, data)


def _snapshots(file: Path, data: Any) -> list[Snapshot]:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ModulesError(_invalid(file, f"its format is not {FORMAT}"))
    try:
        return [_parse_snapshot(entry) for entry in data["snapshots"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModulesError(_invalid(file, reason)) from None


def _invalid(file: Path, reason: str) -> str:
    return f"{file} is not a valid snapshot of modules: {reason}; remove it, and take a new snapshot"


def write_snapshots(file: Path, system: str, snapshots: Iterable[Snapshot]) -> None:
    """Write a system's file atomically.

    Raises:
        OSError: the file can't be written.
    """
    data = {
        "format": FORMAT,
        "system": system,
        "snapshots": [_as_data(each) for each in sorted(snapshots, key=lambda each: each.key)],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, json.dumps(data, indent=1) + "\n")


def merge(
    old: Iterable[Snapshot], new: Iterable[Snapshot], defined: Iterable[tuple[str, str]]
) -> list[Snapshot]:
    """Return new snapshots, and old ones of other partitions and environments that are still defined."""
    kept = set(defined)
    merged = {each.key: each for each in old if each.key in kept}
    merged.update((each.key, each) for each in new)
    return list(merged.values())


def size_of(file: Path) -> int:
    """Return the size of a file in bytes; 0 if it does not exist."""
    try:
        return os.stat(file).st_size  # noqa: PTH116 - as short
    except OSError:
        return 0


def _as_data(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "partition": snapshot.partition,
        "environ": snapshot.environ,
        "taken": snapshot.taken.isoformat(timespec="seconds"),
        "modules_system": snapshot.kind,
        "version": snapshot.version,
        "before": _state_as_data(snapshot.before),
        "loads": [{"module": load.module, "loaded": list(load.loaded)} for load in snapshot.loads],
        "after": _state_as_data(snapshot.after),
        "conflicts": {name: list(others) for name, others in snapshot.conflicts.items()},
        "uninspected": list(snapshot.uninspected),
    }


def _state_as_data(state: ModulesState) -> dict[str, Any]:
    return {
        "modulepath": list(state.modulepath),
        "loaded": list(state.loaded),
        "available": list(state.available),
    }


def _parse_snapshot(data: Mapping[str, Any]) -> Snapshot:
    taken = datetime.fromisoformat(_text(data["taken"]))
    if taken.tzinfo is None:
        raise ValueError("a time has no time zone")
    if data["modules_system"] not in KINDS:
        raise ValueError("unknown modules system")
    return Snapshot(
        _text(data["partition"]),
        _text(data["environ"]),
        taken,
        data["modules_system"],
        _checked(_text(data["version"]), is_version, "version"),
        _parse_state(data["before"]),
        tuple(ModuleLoad(_module(load["module"]), _modules(load["loaded"])) for load in data["loads"]),
        _parse_state(data["after"]),
        {_module(name): _modules(others) for name, others in data["conflicts"].items()},
        _modules(data["uninspected"]),
    )


def _parse_state(data: Mapping[str, Any]) -> ModulesState:
    return ModulesState(
        _all_checked(data["modulepath"], is_directory, "directory"),
        _modules(data["loaded"]),
        _modules(data["available"]),
    )


def _modules(data: object) -> tuple[str, ...]:
    return _all_checked(data, is_module, "module")


def _module(data: object) -> str:
    return _checked(_text(data), is_module, "module")


def _all_checked(data: object, valid: Callable[[str], bool], what: str) -> tuple[str, ...]:
    if not isinstance(data, list) or len(data) > MAX_NAMES:
        raise ValueError(f"not a list of at most {MAX_NAMES} entries")
    # One pass, because this is most of the time that listing tests takes for snapshots.
    for each in data:
        if not (isinstance(each, str) and valid(each)):
            _checked(_text(each), valid, what)
    return tuple(data)


def _text(data: object) -> str:
    if not isinstance(data, str):
        raise ValueError("not a text")  # noqa: TRY004 - of a file, like the others
    return data


def _checked(text: str, valid: Callable[[str], bool], what: str) -> str:
    if not valid(text):
        raise ValueError(f"{text[:80]!r} is no valid {what}")
    return text
